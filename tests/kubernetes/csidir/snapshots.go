package main

import (
	"context"
	"os"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CreateSnapshot copies a volume as it is now. Its creation time is the end of the copy.
func (controller *Controller) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	record, err := controller.store.snapshot(request.GetName(), request.GetSourceVolumeId(), "")
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: controller.store.describe(record)}, nil
}

// snapshot makes the snapshot of this name, unless it is there already.
func (store *Store) snapshot(name, volume, group string) (*Record, error) {
	if name == "" || volume == "" {
		return nil, status.Error(codes.InvalidArgument, "a name and a source volume are needed")
	}
	id := ID(Snapshots, name)
	known, err := store.Get(Snapshots, id)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if known != nil {
		if known.Source != volume {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s exists and is of volume %s", name, known.Source)
		}
		return known, nil
	}
	source, err := store.Get(Volumes, volume)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if source == nil {
		return nil, status.Errorf(codes.NotFound, "volume %s does not exist", volume)
	}
	record := &Record{ID: id, Name: name, Size: source.Size, Source: volume, Group: group}
	if err := store.Make(Snapshots, record, store.path(Volumes, volume)); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return record, nil
}

func (store *Store) describe(record *Record) *csi.Snapshot {
	_, err := os.Stat(store.path(Snapshots, record.ID))
	return &csi.Snapshot{
		SnapshotId:      record.ID,
		SourceVolumeId:  record.Source,
		SizeBytes:       record.Size,
		CreationTime:    timestamppb.New(record.Time),
		ReadyToUse:      err == nil && !store.Unready(),
		GroupSnapshotId: record.Group,
	}
}

// DeleteSnapshot removes a snapshot; one that is not there is removed already, and one of a group goes with its group.
func (controller *Controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	record, err := controller.store.Get(Snapshots, request.GetSnapshotId())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if record != nil && record.Group != "" {
		return nil, status.Errorf(codes.InvalidArgument, "snapshot %s belongs to group %s", record.ID, record.Group)
	}
	if err := controller.store.Remove(Snapshots, request.GetSnapshotId()); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

// ListSnapshots lists snapshots, of one ID or of one volume or all. Its token is the number of those shown before.
func (controller *Controller) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	controller.store.Lock()
	defer controller.store.Unlock()
	records, err := controller.store.List(Snapshots)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	var found []*csi.ListSnapshotsResponse_Entry
	for _, record := range records {
		id, volume := request.GetSnapshotId(), request.GetSourceVolumeId()
		if (id == "" || id == record.ID) && (volume == "" || volume == record.Source) {
			found = append(found, &csi.ListSnapshotsResponse_Entry{Snapshot: controller.store.describe(record)})
		}
	}
	first := 0
	if token := request.GetStartingToken(); token != "" {
		first, err = strconv.Atoi(token)
		if err != nil || first < 0 || first > len(found) {
			return nil, status.Errorf(codes.Aborted, "no such token: %s", token)
		}
	}
	last := len(found)
	answer := &csi.ListSnapshotsResponse{}
	if most := int(request.GetMaxEntries()); most > 0 && first+most < last {
		last = first + most
		answer.NextToken = strconv.Itoa(last)
	}
	answer.Entries = found[first:last]
	return answer, nil
}
