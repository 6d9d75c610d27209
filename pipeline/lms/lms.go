// Package lms reads the exports of learning platforms as the raw users and
// events of the data contract: the tables of Moodle, the tracking logs of Open
// edX, xAPI statements and IMS Caliper events.
//
//	files → decoder → facts ⇒ buckets by user → person → events, users
//
// A preset is a decoder: it says of every record what it means, or why it is
// left out. Facts are spilled to disk by user, since a viewing, an attempt and a
// visit are made of several records that stand far apart. Everything is counted
// in a mapping report. No fact is moved to before the day on which it was known:
// where a row joins records, it is known with the last of them.
package lms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"churn/pipeline"
)

// The presets.
const (
	Moodle  = "moodle"
	OpenEdX = "openedx"
	XAPI    = "xapi"
	Caliper = "caliper"
)

// Params are the settings of the stage.
type Params struct {
	VisitGap    time.Duration `mapstructure:"visit_gap"`    // silence after which a sign of presence is a new visit
	MaxViewing  time.Duration `mapstructure:"max_viewing"`  // longest viewing of a video of unknown length
	DropOrigins []string      `mapstructure:"drop_origins"` // values of Moodle's log column origin
	HomePages   []string      `mapstructure:"home_pages"`   // xAPI account systems whose names are user ids; empty = the one in the data
	Aliases     []string      `mapstructure:"aliases"`      // NAME=TYPE: what a verb or an event name counts as
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{VisitGap: 30 * time.Minute, MaxViewing: 3 * time.Hour, DropOrigins: []string{"cli", "cron", "ws", "restore"}, HomePages: []string{}, Aliases: []string{}}
}

// aliasDrop is the type of an alias that leaves records out.
const aliasDrop = "drop"

// aliasKinds returns what an alias can name.
func aliasKinds() map[string]kind {
	return map[string]kind{"visit": visit, pipeline.Login: login, pipeline.CourseEnroll: enrol, pipeline.CourseComplete: complete,
		pipeline.QuizAttempt: quiz, pipeline.VideoWatch: watched, pipeline.SupportTicket: ticket, aliasDrop: numKinds}
}

// Validate returns all faults, each with its key.
func (p Params) Validate() error {
	var errs []error
	if p.VisitGap < time.Minute || p.VisitGap > 24*time.Hour {
		errs = append(errs, fmt.Errorf("import.visit_gap: %v is out of range; use 1m to 24h", p.VisitGap))
	}
	if p.MaxViewing < time.Minute || p.MaxViewing > 24*time.Hour {
		errs = append(errs, fmt.Errorf("import.max_viewing: %v is out of range; use 1m to 24h", p.MaxViewing))
	}
	for _, a := range p.Aliases {
		if _, _, err := parseAlias(a); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parseAlias reads NAME=TYPE; an IRI may have equal signs of its own.
func parseAlias(text string) (name string, k kind, err error) {
	i := strings.LastIndexByte(text, '=')
	if i > 0 {
		if k, ok := aliasKinds()[strings.TrimSpace(text[i+1:])]; ok {
			return strings.TrimSpace(text[:i]), k, nil
		}
	}
	return "", 0, fmt.Errorf("import.aliases: %q is not NAME=TYPE with one of the types visit, login, course_enroll, course_complete, quiz_attempt, video_watch, support_ticket, drop", text)
}

// aliases returns the kinds by name. It panics on settings that Validate refuses.
func (p Params) aliases(normal func(string) string) map[string]kind {
	out := map[string]kind{}
	for _, a := range p.Aliases {
		name, k, err := parseAlias(a)
		if err != nil {
			panic("lms: " + err.Error())
		}
		out[normal(name)] = k
	}
	return out
}

// names says what the names of a platform mean: a kind, or a reason to leave the
// record out.
type names struct {
	known   map[string]kind
	dropped map[string]string
}

// with returns the names with the aliases over them.
func (n names) with(aliases map[string]kind) names {
	for name, k := range aliases {
		delete(n.dropped, name)
		n.known[name] = k
		if k == numKinds {
			delete(n.known, name)
			n.dropped[name] = dropAlias
		}
	}
	return n
}

// asWritten leaves a name as it is.
func asWritten(name string) string { return name }

func (p Params) dropsOrigin(origin string) bool { return slices.Contains(p.DropOrigins, origin) }
