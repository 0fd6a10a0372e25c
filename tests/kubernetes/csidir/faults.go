package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Faults makes calls slow or fail, as files in its folder say.
type Faults struct {
	Folder string
}

// Intercept logs a call and stands before it: first the delay, then the fault.
func (faults Faults) Intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := filepath.Base(info.FullMethod)
	if err := faults.delay(ctx, method); err != nil {
		return nil, err
	}
	err := faults.fault(method)
	var answer any
	if err == nil {
		answer, err = next(ctx, request)
	}
	if method != "Probe" {
		log.Printf("%s: %v", method, err)
	}
	return answer, err
}

func (faults Faults) delay(ctx context.Context, method string) error {
	text, err := os.ReadFile(filepath.Join(faults.Folder, "delay", method))
	if err != nil {
		return nil
	}
	delay, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return status.Errorf(codes.Internal, "delay/%s: %v", method, err)
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (faults Faults) fault(method string) error {
	text, err := os.ReadFile(filepath.Join(faults.Folder, "fault", method))
	if err != nil {
		return nil
	}
	name, message, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(strconv.Quote(name))); err != nil {
		return status.Errorf(codes.Internal, "fault/%s: %v", method, err)
	}
	return status.Error(code, message)
}
