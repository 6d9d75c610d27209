package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// format is the version of the layout that this code writes and reads.
const format = 1

// sealed is the frame of every JSON object of the registry. The seal is the
// SHA-256 of the object's own text with an empty seal, so that any changed byte
// shows, without asking another object.
type sealed struct {
	Format int    `json:"format"`
	Seal   string `json:"seal"`
}

func (s *sealed) frame() *sealed { return s }

// framed is a pointer to a struct that embeds sealed.
type framed interface{ frame() *sealed }

// encode seals v and returns its one possible text.
func encode(v framed) ([]byte, error) {
	v.frame().Format, v.frame().Seal = format, ""
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	v.frame().Seal = digest(text)
	text, err = json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

// errSeal says that a text is not the one that was written.
var errSeal = errors.New("its seal is broken: it was changed or damaged")

// decode reads a sealed text into v, which must be empty. Any text but the one
// that encode made is refused.
func decode(text []byte, v framed) error {
	var head sealed
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("it is damaged (%w)", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && head.Format == format {
		seal := v.frame().Seal
		again, encodeErr := encode(v)
		if encodeErr == nil && v.frame().Seal == seal && bytes.Equal(again, text) {
			return nil
		}
		return errSeal
	}
	if head.Format > format {
		return fmt.Errorf("its format is %d, and this program reads %d: use the version of churn that wrote it, or a later one", head.Format, format)
	}
	return errSeal
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
