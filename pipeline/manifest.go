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
	Shard        *Shard      `json:"shard,omitempty"` // of what is a part of an output only
	Started      time.Time   `json:"started"`
	Finished     time.Time   `json:"finished"`
}

// Shard says which part of an output a file is, and what parts must share to
// be joined, beside inputs and settings.
type Shard struct {
	Index      int    `json:"index"` // from 0
	Of         int    `json:"of"`
	AsOf       Date   `json:"as_of_date"`
	Version    string `json:"model_version"`
	NotAtRisk  int    `json:"users_not_at_risk"`
	CodeDigest string `json:"code_digest"` // SHA-256 of the program; "" = unknown
}

// Record says that a stage has ended: what it was made from, with which
// settings, by which code, and what it left. It is written last, and holds no
// time, so that equal runs leave equal records.
type Record struct {
	Stage       string      `json:"stage"`
	Inputs      []FileState `json:"inputs"`
	Outputs     []FileState `json:"outputs"`  // the main one first
	Settings    []Setting   `json:"settings"` // all that change an output
	CodeVersion string      `json:"code_version"`
	CodeDigest  string      `json:"code_digest"` // SHA-256 of the program; "" = unknown
	Seal        string      `json:"seal"`        // digest of all that stands above
}

// Setting identifies the value of a setting, or of a section of them.
type Setting struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}
