// Command csidir is a CSI driver for tests: volumes and snapshots are folders, and a snapshot is a copy.
//
// It has a controller and no node part: nothing is mounted, a test reads and writes the folders itself. Under -state lie
//
//	vol/ID/          a volume's content, with its record in vol/ID.json
//	snap/ID/         a snapshot's content, with its record in snap/ID.json
//	group/ID.json    the record of a group snapshot
//	fault/METHOD     "CODE message": the answer to every call of this method, as long as the file is there
//	delay/METHOD     a duration that every call of this method waits first
//	unready          while it is there, no snapshot says that it is ready to use
//
// Everything it knows is on disk, so it can be killed at any moment and started again.
package main

import (
	"flag"
	"log"
	"net"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

// Name is the driver's name, as PersistentVolumes and classes have it.
const Name = "csidir.pachsnap.io"

func main() {
	socket := flag.String("socket", "", "unix socket to serve on")
	state := flag.String("state", "", "folder of volumes, snapshots, faults and delays")
	flag.Parse()
	if *socket == "" || *state == "" {
		log.Fatal("-socket and -state are needed")
	}

	store, err := OpenStore(*state)
	if err != nil {
		log.Fatal(err)
	}
	// What a killed process left.
	if err := os.Remove(*socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		log.Fatal(err)
	}

	server := grpc.NewServer(grpc.UnaryInterceptor(Faults{Folder: *state}.Intercept))
	csi.RegisterIdentityServer(server, Identity{})
	csi.RegisterControllerServer(server, &Controller{store: store})
	csi.RegisterGroupControllerServer(server, &GroupController{store: store})
	log.Fatal(server.Serve(listener))
}
