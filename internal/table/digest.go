package table

import (
	"context"
	"hash"
	"io"
	"os"
)

// digester computes the digest of a whole file beside the reading of a part of
// it.
type digester struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func digest(path string, sum hash.Hash) *digester {
	ctx, cancel := context.WithCancel(context.Background())
	d := &digester{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.err = digestFile(ctx, path, sum)
	}()
	return d
}

func digestFile(ctx context.Context, path string, sum hash.Hash) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(sum, whileWanted{ctx, f}, make([]byte, 1<<18))
	return err
}

// wait returns when the digest is complete. There is nothing to wait for
// without a digester.
func (d *digester) wait() error {
	if d == nil {
		return nil
	}
	<-d.done
	return d.err
}

func (d *digester) stop() {
	d.cancel()
	<-d.done
}

// whileWanted reads until its context ends.
type whileWanted struct {
	ctx context.Context
	in  io.Reader
}

func (w whileWanted) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.in.Read(b)
}
