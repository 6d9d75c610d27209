package snapshot

import (
	"context"
	"errors"
	"fmt"

	"churn/server"
)

// tally sums up the users of one table.
type tally struct {
	snapshot server.Snapshot
	risks    float64
}

func newTally(source Source) *tally {
	return &tally{snapshot: server.Snapshot{Digest: source.SHA256, Tiers: map[string]int{}}}
}

// add counts a user, who must be of the same date and model as the others.
func (t *tally) add(u *server.User) error {
	s := &t.snapshot
	if s.Users == 0 {
		s.AsOf, s.Version = u.AsOf, u.Version
	}
	if u.AsOf != s.AsOf || u.Version != s.Version {
		return fmt.Errorf("as of %s by model %s among users as of %s by model %s; run `churn score` again", u.AsOf, u.Version, s.AsOf, s.Version)
	}
	s.Users++
	s.Tiers[u.Tier]++
	t.risks += u.Risk
	return nil
}

// sum returns what is known after the last user.
func (t *tally) sum() (server.Snapshot, error) {
	s := t.snapshot
	if s.Users == 0 {
		return s, errors.New("the table of predictions has no users; run `churn score` again")
	}
	s.MeanRisk = t.risks / float64(s.Users)
	return s, nil
}

// Summarise says what the store of a source would say of itself, without the
// values to select by. It holds one user at a time.
func Summarise(ctx context.Context, source Source) (server.Snapshot, error) {
	t := newTally(source)
	if err := each(ctx, source, t.add); err != nil {
		return server.Snapshot{}, err
	}
	return t.sum()
}
