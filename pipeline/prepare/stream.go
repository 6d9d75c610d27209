package prepare

import (
	"context"
	"errors"
	"fmt"

	"churn/pipeline"
	"churn/pipeline/validate"
)

// Stream yields the timelines of all users in the order of the contract; ok is
// false after the last.
type Stream interface {
	Next() (t pipeline.Timeline, ok bool, err error)
}

// RunFrom writes the outputs from timelines that a database has added up. The
// files are the same, byte for byte, as Run writes from the same rows in files.
// It fails where the stream is not of the users and events that data counted:
// they must be of one snapshot.
func RunFrom(ctx context.Context, from Stream, data *validate.Result, v pipeline.Vocabulary, header Header, p Params, out Outputs, progress func(done, total int64)) (Report, error) {
	b := &builder{data: data, vocabulary: v, dense: p.Dense, courses: data.Courses, progress: progress}
	header.Users = int(data.Report.Users.Accepted)
	return b.run(ctx, out, header, func(ctx context.Context) error { return b.drain(ctx, from, header.Users) })
}

// drain cuts the stream into the runs of users that buckets of files have. Each
// user is encoded as he comes, one after the other: the database is slower than
// that, and users that wait would be most of what is in memory.
func (b *builder) drain(ctx context.Context, from Stream, users int) error {
	b.report.FirstDate, b.report.LastDate = b.data.Span.First, b.data.Span.Last
	buckets := validate.Buckets(users)
	take := b.taker(buckets)
	for bucket := range buckets {
		first, last := validate.UsersOf(bucket, users, buckets)
		p, err := b.encode(ctx, from, last-first)
		if err == nil {
			err = take(p)
		}
		if err != nil {
			return err
		}
	}
	if err := ended(from); err != nil {
		return err
	}
	if got, want := b.report.Events, b.data.Report.Events.Accepted; got != want {
		return fmt.Errorf("%d events were added up, %d were accepted before: the tables change while they are read; run again, or name a snapshot of them in source.events", got, want)
	}
	return nil
}

// encode reads n users.
func (b *builder) encode(ctx context.Context, from Stream, n int) (*part, error) {
	p := b.newPart()
	for range n {
		t, ok, err := from.Next()
		if err == nil && !ok {
			err = errUsers
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		b.take(p, &t)
	}
	return p, nil
}

var errUsers = errors.New("there are other users than were accepted before: the tables change while they are read; run again, or name a snapshot of them in source.users")

// ended fails if the stream has more users.
func ended(from Stream) error {
	_, more, err := from.Next()
	if err == nil && more {
		err = errUsers
	}
	return err
}
