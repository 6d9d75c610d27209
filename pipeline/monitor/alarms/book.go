package alarms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"churn/internal/atomicfile"
	"churn/internal/lists"
)

// Book is all that is kept of alarms from one run to the next.
type Book struct {
	Format    int       `json:"format"`
	Evaluated time.Time `json:"evaluated,omitzero"` // the latest evaluation
	Alarms    []Alarm   `json:"alarms"`             // by name
	Silences  []Silence `json:"silences"`           // those that ended are a record
	Outbox    []Message `json:"outbox"`             // due to the webhook, oldest first
	History   []Message `json:"history"`            // oldest first
	Sequence  int64     `json:"sequence"`           // messages so far
}

// format is raised when older programs would misread the book.
const format = 1

// keptMessages and keptSilences bound the record: years of rare alarms.
const (
	keptMessages = 500
	keptSilences = 100
)

// prune forgets the oldest of the record. Silences in force and messages that
// are still to be sent stay.
func (b *Book) prune() {
	b.History = b.History[max(0, len(b.History)-keptMessages):]
	for i := 0; len(b.Silences) > keptSilences && i < len(b.Silences); {
		if b.Silences[i].Active(b.Evaluated) {
			i++
			continue
		}
		b.Silences = slices.Delete(b.Silences, i, i+1)
	}
}

// check refuses what Evaluate would not have written.
func (b *Book) check() error {
	for i, a := range b.Alarms {
		switch {
		case a.Name == "" || i > 0 && b.Alarms[i-1].Name >= a.Name:
			return fmt.Errorf("alarm %d (%q) is not in the order of names", i+1, a.Name)
		case !slices.Contains(States(), a.State):
			return fmt.Errorf("alarm %q has the unknown state %q", a.Name, a.State)
		}
	}
	return nil
}

// Store keeps the book in a file.
type Store struct{ Path string }

// Read returns the book, an empty one where there is no file.
func (s Store) Read() (Book, error) {
	data, err := os.ReadFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Book{Format: format}.filled(), nil
	}
	if err != nil {
		return Book{}, fmt.Errorf("read the alarms: %w", err)
	}
	return s.decode(data)
}

func (s Store) decode(data []byte) (b Book, err error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return b, s.damaged(err)
	}
	if head.Format != format {
		return b, s.damaged(fmt.Errorf("its format is %d, this program's is %d", head.Format, format))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err = d.Decode(&b); err == nil {
		err = b.check()
	}
	if err != nil {
		return Book{}, s.damaged(err)
	}
	return b.filled(), nil
}

func (s Store) damaged(err error) error {
	return fmt.Errorf("%s cannot be used (%w): alarms do not move until it is mended; put a copy back, or move it away, and alarms and silences begin anew", s.Path, err)
}

// retry is how often the lock is tried; whoever has it is sending a message at
// the longest.
const retry = 50 * time.Millisecond

// Update changes the book while no other process does. It waits for the lock
// until ctx ends. The file stays as it was where change fails, or changes nothing.
func (s Store) Update(ctx context.Context, change func(*Book) error) error {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o755); err != nil {
		return fmt.Errorf("make the folder of alarms: %w", err)
	}
	lock := flock.New(filepath.Join(filepath.Dir(s.Path), ".lock"))
	if _, err := lock.TryLockContext(ctx, retry); err != nil {
		return fmt.Errorf("lock the alarms in %s: %w", filepath.Dir(s.Path), err)
	}
	defer lock.Unlock() //nolint:errcheck // it ends with the process anyway
	b, err := s.Read()
	if err != nil {
		return err
	}
	if err := change(&b); err != nil {
		return err
	}
	return s.write(b)
}

// write writes the book, if it is another than that in the file.
func (s Store) write(b Book) error {
	data, err := b.encode()
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(s.Path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	_, err = atomicfile.Write(s.Path, data)
	return err
}

// encode returns the text of the file.
func (b Book) encode() ([]byte, error) {
	data, err := json.MarshalIndent(b.filled(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the alarms: %w", err)
	}
	return append(data, '\n'), nil
}

func (b Book) filled() Book {
	b.Alarms, b.Silences = lists.Filled(b.Alarms), lists.Filled(b.Silences)
	b.Outbox, b.History = lists.Filled(b.Outbox), lists.Filled(b.History)
	return b
}
