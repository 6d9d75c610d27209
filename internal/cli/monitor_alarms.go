package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"churn/internal/monitored"
	"churn/pipeline"
	"churn/pipeline/monitor/alarms"
)

func alarmsCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "alarms",
		Usage: "list the alarms, what silences them, and the latest messages",
		Flags: []cli.Flag{asOfFlag()},
		Action: func(c *cli.Context) error {
			if err := s.load(c, nil); err != nil {
				return err
			}
			if err := s.parseAsOf(c); err != nil {
				return err
			}
			return s.listAlarms()
		},
	}
}

func silenceCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:  "silence",
		Usage: "keep an alarm from telling that it fires, for a reason and a time",
		Description: "A silenced alarm goes on to be evaluated. If it still fires when the silence ends, that is told then; the end of a trouble that was told is told in any case.\n" +
			"NAME is an alarm, or all: " + strings.Join(alarms.Names(), ", ") + ".",
		ArgsUsage: "NAME",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "reason", Usage: "why, in `TEXT`; it is recorded"},
			&cli.StringFlag{Name: "until", Usage: "last `DATE` of the silence, in UTC, or a time"},
			&cli.StringFlag{Name: "for", Usage: "how long, as `DURATION`: 90m, 24h, 7d"},
			asOfFlag(),
		},
		Action: func(c *cli.Context) error { return s.silence(c) },
	}
}

func unsilenceCommand(s *session) *cli.Command {
	return &cli.Command{
		Name:      "unsilence",
		Usage:     "end a silence before its time",
		ArgsUsage: "NAME",
		Flags:     []cli.Flag{asOfFlag()},
		Action:    func(c *cli.Context) error { return s.unsilence(c) },
	}
}

// alarms is the store of the alarms.
func (s *session) alarms() alarms.Store { return monitored.AlarmStore(s.config.Paths.Metrics) }

// moment is the time of an evaluation: the end of the as-of date if there is one,
// so that days that are looked at again are as far apart as they were; else now.
// It never lies after now, unless the days are simulated.
func (s *session) moment() time.Time {
	now := s.stamp().UTC()
	if s.asOf == pipeline.NoDate {
		return now
	}
	year, month, day := (s.asOf + 1).Time().Date()
	end := time.Date(year, month, day, 0, 0, 0, 0, s.location).UTC()
	if end.After(now) && !s.simulated() {
		return now
	}
	return end
}

// namedAlarm reads the argument of silence and unsilence.
func (s *session) namedAlarm(c *cli.Context) (string, error) {
	name, err := argument(c, "alarm", "")
	if err != nil {
		return "", err
	}
	if known := append(alarms.Names(), alarms.All); !slices.Contains(known, name) {
		return "", usageError{fmt.Errorf("there is no alarm %q; use %s", name, strings.Join(known, ", "))}
	}
	if err := s.load(c, nil); err != nil {
		return "", err
	}
	if err := s.parseAsOf(c); err != nil {
		return "", err
	}
	return name, s.notAhead()
}

func (s *session) silence(c *cli.Context) error {
	name, err := s.namedAlarm(c)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(c.String("reason"))
	if reason == "" {
		return usageError{errors.New("silence needs --reason TEXT: whoever wonders why nobody was told will want to know")}
	}
	at := s.moment()
	until, err := silenceEnd(c.String("until"), c.String("for"), at)
	if err != nil {
		return err
	}
	one := alarms.Silence{Alarm: name, Reason: reason, By: s.actor(), From: at, Until: until}
	err = s.alarms().Update(c.Context, func(b *alarms.Book) error { b.Silence(one); return nil })
	if err != nil {
		return err
	}
	return s.print(one, func(w io.Writer) {
		fmt.Fprintf(w, "silence   %s until %s: %s\n", name, until.Format(minute), reason)
	})
}

// silenceEnd reads --until or --for, of which there must be one.
func silenceEnd(until, length string, at time.Time) (end time.Time, err error) {
	switch {
	case (until == "") == (length == ""):
		return end, usageError{errors.New("silence needs --until DATE or --for DURATION: a silence that never ends hides what comes later")}
	case until != "":
		if end, err = parseMoment("--until", until, at); err != nil {
			return end, err
		}
		end = end.Round(time.Second) // the end of a date is midnight
	default:
		d, err := parseLength(length)
		if err != nil {
			return end, usageError{fmt.Errorf("--for: %q is no length of time above 0, such as 90m, 24h or 7d", length)}
		}
		end = at.Add(d)
	}
	if !end.After(at) {
		return end, usageError{fmt.Errorf("the silence would end at %s, which has passed", end.Format(time.RFC3339))}
	}
	return end, nil
}

// parseLength reads a length of time, in days too.
func parseLength(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if number, ok := strings.CutSuffix(text, "d"); ok {
		var days int
		days, err = strconv.Atoi(number)
		if d = time.Duration(days) * 24 * time.Hour; days > 36500 {
			err = errors.New("longer than a century")
		}
	}
	if err == nil && d <= 0 {
		err = errors.New("not above 0")
	}
	return d, err
}

func (s *session) unsilence(c *cli.Context) error {
	name, err := s.namedAlarm(c)
	if err != nil {
		return err
	}
	err = s.alarms().Update(c.Context, func(b *alarms.Book) error {
		if !b.Unsilence(name, s.moment()) {
			return fmt.Errorf("%s is not silenced; `churn monitor alarms` lists the silences", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	report := struct {
		Alarm string `json:"alarm"`
	}{name}
	return s.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "silence   of %s has ended; if it fires, the next evaluation tells\n", name)
	})
}

// listAlarms shows the book.
func (s *session) listAlarms() error {
	b, err := s.alarms().Read()
	if err != nil {
		return err
	}
	at := s.moment()
	return s.print(b, func(w io.Writer) { printAlarms(w, &b, at) })
}

// shownMessages is how many of the latest messages are listed.
const shownMessages = 10

func printAlarms(w io.Writer, b *alarms.Book, at time.Time) {
	if b.Evaluated.IsZero() {
		fmt.Fprintln(w, "alarms    have not been evaluated yet; `churn monitor all` does")
	} else {
		fmt.Fprintf(w, "alarms    evaluated %s\n", b.Evaluated.Format(minute))
	}
	for i := range b.Alarms {
		printAlarm(w, b, &b.Alarms[i], at)
	}
	for _, s := range b.Silences {
		if s.Active(at) {
			fmt.Fprintf(w, "  silence of %s until %s by %s: %s\n", s.Alarm, s.Until.Format(minute), s.By, s.Reason)
		}
	}
	if len(b.Outbox) > 0 {
		fmt.Fprintf(w, "  %d messages wait for the webhook; the next evaluation sends them\n", len(b.Outbox))
	}
	if len(b.History) > 0 {
		fmt.Fprintln(w, "messages")
	}
	for _, m := range b.History[max(0, len(b.History)-shownMessages):] {
		fmt.Fprintf(w, "  %s  %-8s  %s: %s\n", m.At.Format(minute), m.State, m.Alarm, m.Summary)
	}
}

func printAlarm(w io.Writer, b *alarms.Book, a *alarms.Alarm, at time.Time) {
	note := a.Summary
	if _, silenced := b.Silenced(a.Name, at); silenced {
		note = "(silenced) " + note
	}
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-15s  %-8s  since %s  %s", a.Name, a.State, a.Since.Format(minute), note), " "))
}

// alarmed is what an evaluation came to.
type alarmed struct {
	Messages []alarms.Message `json:"messages"`
	Firing   []string         `json:"firing"`   // and not silenced
	Silenced []string         `json:"silenced"` // though they fire
	Note     string           `json:"note,omitempty"`
	Unknown  string           `json:"unknown,omitempty"` // why nothing is known of the alarms, which did not move
}

// noAlarms is what an evaluation that found nothing came to.
func noAlarms() alarmed {
	return alarmed{Messages: []alarms.Message{}, Firing: []string{}, Silenced: []string{}}
}

// moveAlarms moves the alarms by what the monitors found, and sends what is due.
func (s *session) moveAlarms(ctx context.Context, readings []alarms.Reading) (e alarmed, err error) {
	e = noAlarms()
	at, p := s.moment(), s.config.Monitor.Alarms
	err = s.alarms().Update(ctx, func(b *alarms.Book) error {
		due, err := b.Evaluate(readings, p.Rules, at)
		var earlier *alarms.EarlierError
		if errors.As(err, &earlier) {
			e.Note, at = err.Error(), earlier.Last
		}
		e.Messages = append(e.Messages, due...)
		b.Outbox = append(b.Outbox, due...)
		if p.Webhook == "" {
			b.Outbox = nil
		}
		e.split(b, at)
		return nil
	})
	if err != nil { // what is not in the book has not happened: the next run tells it
		e = noAlarms()
		e.Unknown = err.Error()
		return e, err
	}
	return e, s.deliver(ctx)
}

// split divides the alarms that fire.
func (e *alarmed) split(b *alarms.Book, at time.Time) {
	for _, a := range b.Alarms {
		_, silenced := b.Silenced(a.Name, at)
		switch {
		case a.State != alarms.Firing:
		case silenced:
			e.Silenced = append(e.Silenced, a.Name)
		default:
			e.Firing = append(e.Firing, a.Name)
		}
	}
}

// deliver sends the messages that wait, oldest first, and forgets those that were
// taken. A message is in the book before it is sent: after a crash it may come
// twice, by its id it is known again, and none is lost.
func (s *session) deliver(ctx context.Context) error {
	address := s.config.Monitor.Alarms.Webhook
	if address == "" {
		return nil
	}
	return s.alarms().Update(ctx, func(b *alarms.Book) error {
		for len(b.Outbox) > 0 {
			if err := s.send(ctx, address, b.Outbox[0]); err != nil {
				s.log.Warn("messages wait for the webhook; the next evaluation sends them", "messages", len(b.Outbox), "error", err)
				return nil
			}
			b.Outbox = b.Outbox[1:]
		}
		return nil
	})
}
