package pipeline

import "time"

// FileState identifies the content of one file.
type FileState struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows,omitempty"`
}

// Manifest says what a file was made from and with. Two runs on the same
// inputs differ in Started and Finished only.
type Manifest struct {
	Stage        string      `json:"stage"`
	Inputs       []FileState `json:"inputs"`
	Output       FileState   `json:"output"`
	ConfigDigest string      `json:"config_digest"` // of the settings that the stage reads
	Seed         uint64      `json:"seed"`
	CodeVersion  string      `json:"code_version"`
	Rows         int64       `json:"rows"`
	Started      time.Time   `json:"started"`
	Finished     time.Time   `json:"finished"`
}
