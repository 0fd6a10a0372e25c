package main

import (
	"context"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// GroupController makes and removes snapshots of several volumes at one moment.
type GroupController struct {
	csi.UnimplementedGroupControllerServer
	store *Store
}

// GroupControllerGetCapabilities names the calls that it knows.
func (*GroupController) GroupControllerGetCapabilities(context.Context, *csi.GroupControllerGetCapabilitiesRequest) (*csi.GroupControllerGetCapabilitiesResponse, error) {
	return &csi.GroupControllerGetCapabilitiesResponse{Capabilities: []*csi.GroupControllerServiceCapability{{
		Type: &csi.GroupControllerServiceCapability_Rpc{Rpc: &csi.GroupControllerServiceCapability_RPC{
			Type: csi.GroupControllerServiceCapability_RPC_CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT,
		}},
	}}}, nil
}

// CreateVolumeGroupSnapshot copies all the volumes. The store is locked meanwhile; who writes into the folders is not.
func (controller *GroupController) CreateVolumeGroupSnapshot(_ context.Context, request *csi.CreateVolumeGroupSnapshotRequest) (*csi.CreateVolumeGroupSnapshotResponse, error) {
	store := controller.store
	store.Lock()
	defer store.Unlock()
	if request.GetName() == "" || len(request.GetSourceVolumeIds()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a name and source volumes are needed")
	}
	volumes := slices.Sorted(slices.Values(request.GetSourceVolumeIds()))
	id := ID(Groups, request.GetName())
	group, err := store.Get(Groups, id)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if group != nil && !slices.Equal(group.Members, volumes) {
		return nil, status.Errorf(codes.AlreadyExists, "group snapshot %s exists and is of others", request.GetName())
	}
	if group == nil {
		group = &Record{ID: id, Name: request.GetName(), Members: volumes}
		for _, volume := range volumes {
			record, err := store.snapshot(memberName(group, volume), volume, id)
			if err != nil {
				return nil, err
			}
			group.Time = record.Time
		}
		if err := store.Put(Groups, group); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	described, err := store.describeGroup(group)
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: described}, err
}

func memberName(group *Record, volume string) string {
	return group.Name + "/" + volume
}

func (store *Store) describeGroup(group *Record) (*csi.VolumeGroupSnapshot, error) {
	described := &csi.VolumeGroupSnapshot{
		GroupSnapshotId: group.ID,
		CreationTime:    timestamppb.New(group.Time),
		ReadyToUse:      true,
	}
	for _, volume := range group.Members {
		record, err := store.Get(Snapshots, ID(Snapshots, memberName(group, volume)))
		if err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		if record == nil {
			return nil, status.Errorf(codes.DataLoss, "the snapshot of %s in group %s is gone", volume, group.ID)
		}
		member := store.describe(record)
		described.Snapshots = append(described.Snapshots, member)
		described.ReadyToUse = described.ReadyToUse && member.ReadyToUse
	}
	return described, nil
}

// DeleteVolumeGroupSnapshot removes a group snapshot with its snapshots; one that is not there is removed already.
func (controller *GroupController) DeleteVolumeGroupSnapshot(_ context.Context, request *csi.DeleteVolumeGroupSnapshotRequest) (*csi.DeleteVolumeGroupSnapshotResponse, error) {
	store := controller.store
	store.Lock()
	defer store.Unlock()
	group, err := store.Get(Groups, request.GetGroupSnapshotId())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if group == nil {
		return &csi.DeleteVolumeGroupSnapshotResponse{}, nil
	}
	for _, volume := range group.Members {
		if err := store.Remove(Snapshots, ID(Snapshots, memberName(group, volume))); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if err := store.Remove(Groups, group.ID); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, nil
}

// GetVolumeGroupSnapshot describes a group snapshot.
func (controller *GroupController) GetVolumeGroupSnapshot(_ context.Context, request *csi.GetVolumeGroupSnapshotRequest) (*csi.GetVolumeGroupSnapshotResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	group, err := controller.store.Get(Groups, request.GetGroupSnapshotId())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if group == nil {
		return nil, status.Errorf(codes.NotFound, "group snapshot %s does not exist", request.GetGroupSnapshotId())
	}
	described, err := controller.store.describeGroup(group)
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: described}, err
}
