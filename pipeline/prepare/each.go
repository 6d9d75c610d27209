package prepare

import (
	"context"
	"errors"

	"churn/internal/parallel"
	"churn/pipeline"
)

// Each runs work over all timelines, a block of users at a time and in
// parallel, and hands the results to take in user order.
func Each[R any](ctx context.Context, t *Timelines, work func([]pipeline.Timeline) (R, error), take func(R) error, progress func(done, total int64)) (users int, err error) {
	type result struct {
		out   R
		users int
	}
	next := func() ([]byte, bool, error) { return t.Next() }
	decodeAndWork := func(payload []byte) (result, error) {
		block, err := DecodeBlock(payload)
		if err != nil {
			return result{}, err
		}
		out, err := work(block)
		return result{out, len(block)}, err
	}
	err = parallel.Ordered(ctx, next, decodeAndWork, func(r result) error {
		users += r.users
		if progress != nil {
			progress(int64(users), int64(t.Header.Users))
		}
		return take(r.out)
	})
	if err == nil && users != t.Header.Users {
		err = t.damaged(errors.New("users are missing"))
	}
	return users, err
}
