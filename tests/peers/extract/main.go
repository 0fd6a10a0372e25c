// Reads the stream of admin.API/Extract as pachctl does (grpc-go, 20 MiB messages, an 8-byte length before each op, the
// snappy framing of golang/snappy) and writes it to a file. It keeps the bytes of an op as they are, where pachctl decodes
// and encodes each one again, so it is a faster peer than pachctl.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"log"
	"os"

	"github.com/golang/snappy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte(nil), data...); return nil }
func (rawCodec) Name() string                       { return "proto" }

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: extract HOST:PORT FILE")
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(20<<20)))
	if err != nil {
		log.Fatal(err)
	}
	call := &grpc.StreamDesc{ServerStreams: true}
	stream, err := connection.NewStream(context.Background(), call, "/admin.API/Extract")
	if err != nil {
		log.Fatal(err)
	}
	// ExtractRequest: field 2, no_objects, is true.
	request := []byte{0x10, 0x01}
	if err := stream.SendMsg(&request); err != nil {
		log.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		log.Fatal(err)
	}
	file, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	buffered := bufio.NewWriter(file)
	writer := snappy.NewBufferedWriter(buffered)
	for {
		var op []byte
		if err := stream.RecvMsg(&op); err == io.EOF {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		if err := binary.Write(writer, binary.LittleEndian, int64(len(op))); err != nil {
			log.Fatal(err)
		}
		if _, err := writer.Write(op); err != nil {
			log.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	if err := buffered.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		log.Fatal(err)
	}
}
