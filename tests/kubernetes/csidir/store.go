package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Kind is a folder of the store, and the beginning of its IDs.
type Kind string

// The kinds of records.
const (
	Volumes   Kind = "vol"
	Snapshots Kind = "snap"
	Groups    Kind = "group"
)

// Record is what the driver knows about a volume, a snapshot or a group snapshot.
type Record struct {
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Size int64     `json:"size,omitempty"`
	Time time.Time `json:"time"`
	// Source is the snapshot or the volume that a volume was made from, and the volume of a snapshot.
	Source string `json:"source,omitempty"`
	// Group is the group snapshot that a snapshot belongs to.
	Group string `json:"group,omitempty"`
	// Members are the volumes of a group snapshot.
	Members []string `json:"members,omitempty"`
}

// Store keeps content and records in folders. A record is written last and removed first: content without one does not count.
type Store struct {
	folder string
	// Held through every change: the callers are few, and a copy must not meet a deletion.
	sync.Mutex
}

// OpenStore makes the folders that are missing.
func OpenStore(folder string) (*Store, error) {
	for _, name := range []string{string(Volumes), string(Snapshots), string(Groups), "fault", "delay"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return nil, err
		}
	}
	return &Store{folder: folder}, nil
}

// ID is the same for the same name, which makes a repeated request find what the first one made.
func ID(kind Kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(kind) + "-" + hex.EncodeToString(sum[:8])
}

// Unready says whether snapshots are to be not ready yet.
func (store *Store) Unready() bool {
	_, err := os.Stat(filepath.Join(store.folder, "unready"))
	return err == nil
}

func (store *Store) path(kind Kind, id string) string {
	return filepath.Join(store.folder, string(kind), id)
}

// Get returns the record, or nil when there is none. An ID is a plain file name: anything else is nobody's.
func (store *Store) Get(kind Kind, id string) (*Record, error) {
	if id == "" || filepath.Base(id) != id {
		return nil, nil
	}
	text, err := os.ReadFile(store.path(kind, id) + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record := &Record{}
	return record, json.Unmarshal(text, record)
}

// List returns all records of a kind, ordered by ID.
func (store *Store) List(kind Kind) ([]*Record, error) {
	entries, err := os.ReadDir(filepath.Join(store.folder, string(kind)))
	if err != nil {
		return nil, err
	}
	var records []*Record
	for _, entry := range entries {
		id, isRecord := strings.CutSuffix(entry.Name(), ".json")
		if !isRecord || strings.HasPrefix(id, ".") {
			continue
		}
		record, err := store.Get(kind, id)
		if err != nil {
			return nil, err
		}
		if record != nil {
			records = append(records, record)
		}
	}
	return records, nil
}

// Make copies a folder (or makes an empty one, without a source) and then writes the record.
func (store *Store) Make(kind Kind, record *Record, source string) error {
	content := store.path(kind, record.ID)
	// Of an attempt that was killed.
	if err := os.RemoveAll(content); err != nil {
		return err
	}
	if err := os.Mkdir(content, 0o755); err != nil {
		return err
	}
	if source != "" {
		if err := copyFolder(source, content); err != nil {
			return err
		}
	}
	record.Time = time.Now().UTC()
	return store.Put(kind, record)
}

// Put writes a record, whole or not at all.
func (store *Store) Put(kind Kind, record *Record) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	path := store.path(kind, record.ID) + ".json"
	unfinished := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(unfinished, text, 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// Remove removes a record and its content; what is not there is no error.
func (store *Store) Remove(kind Kind, id string) error {
	if id == "" || filepath.Base(id) != id {
		return nil
	}
	if err := os.Remove(store.path(kind, id) + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(store.path(kind, id))
}

// copyFolder copies what is in a folder: folders, files with their mode and time, links.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil || relative == "." {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.Mkdir(target, 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		default:
			return copyFile(path, target)
		}
	})
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	about, err := source.Stat()
	if err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, about.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	if err := target.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, about.ModTime(), about.ModTime())
}
