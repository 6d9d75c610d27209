package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	webhookTimeout = 10 * time.Second // of one attempt
	webhookTries   = 3
)

// tell sends a report to the webhook, if there is one. A webhook that does not
// answer is a warning: what the report tells of has happened.
func (s *session) tell(ctx context.Context, report any) {
	if address := s.config.Retrain.Webhook; address != "" {
		s.send(ctx, address, report) //nolint:errcheck // every try that failed is in the log
	}
}

// send sends JSON to a webhook, trying again where it is not taken.
func (s *session) send(ctx context.Context, address string, report any) error {
	body, err := json.Marshal(report)
	for try := 1; err == nil && try <= webhookTries; try++ {
		fault := post(ctx, address, body)
		if fault == nil {
			return nil
		}
		s.log.Warn("the webhook did not take the report", "host", hostOf(address), "try", try, "error", fault)
		if try == webhookTries {
			return fault
		}
		err = pause(ctx, time.Duration(try)*time.Second)
	}
	return err
}

// post sends JSON once.
func post(ctx context.Context, address string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", hostOf(address), unwrapURL(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s answered %s", hostOf(address), answer.Status)
	}
	return nil
}

// hostOf returns what may be shown of an address: paths and queries of webhooks
// hold secrets.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the webhook"
	}
	return u.Host
}

// unwrapURL takes the address out of an error of net/http.
func unwrapURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // the client returns it bare
		return e.Err
	}
	return err
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
