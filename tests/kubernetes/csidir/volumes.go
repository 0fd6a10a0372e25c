package main

import (
	"context"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// defaultSize is the size of a volume that nobody gave one.
const defaultSize = 1 << 30

// Controller makes and removes volumes and snapshots.
type Controller struct {
	csi.UnimplementedControllerServer
	store *Store
}

// ControllerGetCapabilities names the calls that it knows.
func (*Controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	known := []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	}
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, call := range known {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: call}},
		})
	}
	return answer, nil
}

// CreateVolume makes an empty volume, or one that is a copy of a snapshot or of another volume.
func (controller *Controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	store := controller.store
	store.Lock()
	defer store.Unlock()
	if request.GetName() == "" || len(request.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a name and capabilities are needed")
	}
	wanted := request.GetCapacityRange()
	size := wanted.GetRequiredBytes()
	if size == 0 {
		size = defaultSize
	}
	if limit := wanted.GetLimitBytes(); limit != 0 && size > limit {
		return nil, status.Errorf(codes.OutOfRange, "%d bytes are more than the limit of %d", size, limit)
	}

	id := ID(Volumes, request.GetName())
	known, err := store.Get(Volumes, id)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	source, folder, err := controller.source(request.GetVolumeContentSource(), size)
	if known != nil {
		if known.Size != size || (err == nil && known.Source != source) {
			return nil, status.Errorf(codes.AlreadyExists, "volume %s exists and is another", request.GetName())
		}
		return volumeAnswer(known, request), nil
	}
	if err != nil {
		return nil, err
	}
	record := &Record{ID: id, Name: request.GetName(), Size: size, Source: source}
	if err := store.Make(Volumes, record, folder); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return volumeAnswer(record, request), nil
}

// source finds what a volume of this size is to be a copy of: its ID and its folder, both empty for an empty volume.
func (controller *Controller) source(source *csi.VolumeContentSource, size int64) (string, string, error) {
	kind, id := Volumes, source.GetVolume().GetVolumeId()
	if snapshot := source.GetSnapshot().GetSnapshotId(); snapshot != "" {
		kind, id = Snapshots, snapshot
	}
	if id == "" {
		return "", "", nil
	}
	record, err := controller.store.Get(kind, id)
	if err != nil {
		return "", "", status.Error(codes.Internal, err.Error())
	}
	if record == nil {
		return "", "", status.Errorf(codes.NotFound, "source %s does not exist", id)
	}
	if size < record.Size {
		return "", "", status.Errorf(codes.OutOfRange, "%d bytes are less than the %d of %s", size, record.Size, id)
	}
	folder := controller.store.path(kind, id)
	if _, err := os.Stat(folder); err != nil {
		return "", "", status.Errorf(codes.DataLoss, "the content of %s is gone: %v", id, err)
	}
	return id, folder, nil
}

func volumeAnswer(record *Record, request *csi.CreateVolumeRequest) *csi.CreateVolumeResponse {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      record.ID,
		CapacityBytes: record.Size,
		ContentSource: request.GetVolumeContentSource(),
	}}
}

// DeleteVolume removes a volume; one that is not there is removed already.
func (controller *Controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	if err := controller.store.Remove(Volumes, request.GetVolumeId()); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// ValidateVolumeCapabilities confirms everything: nothing is ever mounted.
func (controller *Controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	record, err := controller.store.Get(Volumes, request.GetVolumeId())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if record == nil {
		return nil, status.Errorf(codes.NotFound, "volume %s does not exist", request.GetVolumeId())
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeCapabilities: request.GetVolumeCapabilities(),
	}}, nil
}
