package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"churn/internal/atomicfile"
	"churn/internal/workspace"
	"churn/pipeline"
	"churn/pipeline/score"
)

// Shards of one scoring run side by side over one workspace. Each writes its part
// and then looks for those of the others: the one that finds all of them joins
// them, under the lock of the workspace. Of two that end together both may find
// all; the second to get the lock finds the work done. So if every shard ends
// well, the joined results are there, whatever was killed and started again.

// parts is where the shards of one scoring leave their parts.
type parts struct {
	session *session
	scoring
	run string // what was asked for: a date, or the latest
	of  int
}

// partsOf returns the place of the parts of a scoring. It is chosen by what was
// asked for, not by the date that this came to be: shards that were given other data
// must meet, or nobody would find that they disagree.
func (s *session) partsOf(x scoring, of int) parts {
	run := "latest"
	if s.asOf != pipeline.NoDate {
		run = s.asOf.String()
	}
	return parts{s, x, run, of}
}

func (p parts) output(index int) workspace.Output {
	return p.session.files.ScorePart(p.run, index, p.of)
}

// shardReport is what a shard did.
type shardReport struct {
	Shard     string        `json:"shard"`
	AsOf      pipeline.Date `json:"as_of_date"`
	Version   string        `json:"model_version"`
	Scored    int           `json:"users_scored"`
	NotAtRisk int           `json:"users_not_at_risk"`
	Part      string        `json:"part,omitempty"`        // "" = the whole was joined before
	Waiting   []string      `json:"waiting_for,omitempty"` // shards that have not ended; the last of them joins
	Joined    *score.Report `json:"joined,omitempty"`
}

// scoreShard is the command score --shard.
func (s *session) scoreShard(c *cli.Context) error {
	shard, err := score.ParseShard(c.String("shard"))
	if err != nil {
		return usageError{fmt.Errorf("--shard: %w", err)}
	}
	if err := s.loadDated(c); err != nil {
		return err
	}
	report, err := s.shard(c.Context, c.String("model"), shard)
	if err != nil {
		return err
	}
	return s.print(report, func(w io.Writer) { printShard(w, report) })
}

// shard scores the users of a shard and leaves them, or the whole if it is the last.
func (s *session) shard(ctx context.Context, model string, shard score.Shard) (r shardReport, err error) {
	x, t, err := s.scoring(ctx, model)
	if err != nil {
		return r, err
	}
	defer t.Close()
	p := s.partsOf(x, shard.Of)
	r = shardReport{Shard: shard.String(), AsOf: x.asOf, Version: x.model.Version}
	if r.Joined, err = p.before(ctx); r.Joined != nil || err != nil {
		return r, err
	}
	own := p.output(shard.Index)
	if err := p.clear(own, shard.Index); err != nil {
		return r, err
	}
	part, err := s.scoreUsers(ctx, t, x, shard)
	if err != nil {
		return r, err
	}
	r.Scored, r.NotAtRisk, r.Part = len(part.Results), part.NotAtRisk, own.Path
	if err := p.leave(own, part, shard.Index); err != nil {
		return r, err
	}
	if r.Waiting, err = p.missing(); len(r.Waiting) > 0 {
		if err != nil {
			s.log.Warn("the part of a shard does not fit; it must be scored again", "error", err)
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	s.log.Info("all shards have ended; joining", "shards", p.of)
	err = s.lockedBy(func() (func(), error) { return s.files.LockWaiting(ctx) }, func() error {
		r.Joined, r.Waiting, err = p.join(ctx)
		return err
	})
	return r, err
}

// mergeShards is the command score --merge.
func (s *session) mergeShards(c *cli.Context) error {
	whole, err := score.ParseShard(fmt.Sprintf("0/%d", c.Int("merge")))
	if err != nil {
		return usageError{fmt.Errorf("--merge %d is not a number of shards; use the N of --shard I/N", c.Int("merge"))}
	}
	return s.dated(func(c *cli.Context) error {
		x, t, err := s.scoring(c.Context, c.String("model"))
		if err != nil {
			return err
		}
		t.Close()
		report, waiting, err := s.partsOf(x, whole.Of).join(c.Context)
		if err == nil && len(waiting) > 0 {
			err = fmt.Errorf("there is no part of shard %s in %s; run `churn score --shard %s` first", strings.Join(waiting, ", "), s.partsOf(x, whole.Of).folder(), waiting[0])
		}
		if err != nil {
			return err
		}
		return s.print(report, func(w io.Writer) { printScore(w, *report) })
	})(c)
}

func (p parts) folder() string { return p.session.files.ScoreParts(p.run, p.of) }

// before returns the report of the whole where it was joined before, or written by
// one process.
func (p parts) before(ctx context.Context) (*score.Report, error) {
	why, err := p.session.files.Stale(ctx, stageScore, p.session.basisOf(p.scoring), nil)
	if why != "" || err != nil {
		return nil, err
	}
	var report scored
	if err := p.session.readReport("score_latest", &report); err != nil {
		return nil, nil //nolint:nilerr // what cannot be read is made anew
	}
	return &report.Report, nil
}

// clear removes what an earlier run left in the place of a part, if it does not fit: nobody
// may wait for the shard in vain, or join the old part.
func (p parts) clear(own workspace.Output, index int) error {
	if err := p.fits(index); err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return p.session.files.Forget(own)
}

// leave writes a part and, last, its manifest.
func (p parts) leave(own workspace.Output, part score.Part, index int) error {
	info, err := part.Write(own.Path, p.session.files.Format)
	if err != nil {
		return err
	}
	basis := p.session.basisOf(p.scoring)
	return p.session.files.Record(own, info, workspace.Made{Inputs: basis.Inputs, ConfigDigest: basis.Digest(), Started: p.started,
		Shard: &pipeline.Shard{Index: index, Of: p.of, AsOf: p.asOf, Version: p.model.Version, NotAtRisk: part.NotAtRisk, CodeDigest: p.session.files.Code()}})
}

// missing returns the shards that have left no part, and in the error those whose part
// does not fit.
func (p parts) missing() (waiting []string, err error) {
	for i := range p.of {
		switch bad := p.fits(i); {
		case errors.Is(bad, fs.ErrNotExist):
			waiting = append(waiting, score.Shard{Index: i, Of: p.of}.String())
		default:
			err = errors.Join(err, bad)
		}
	}
	return waiting, err
}

// fits fails unless a part was made as those of this scoring are.
func (p parts) fits(index int) error {
	_, err := p.manifest(index)
	return err
}

// manifest returns the manifest of a part that fits.
func (p parts) manifest(index int) (m pipeline.Manifest, err error) {
	out := p.output(index)
	if _, err := p.session.files.State(out); err != nil {
		return m, err
	}
	if m, err = p.session.files.Manifest(out); err != nil {
		return m, err
	}
	if why := p.differs(m, index); why != "" {
		return m, fmt.Errorf("%s cannot be joined: %s; run `churn %s` again, and those of the others that differ", out.Path, why, out.Stage)
	}
	return m, nil
}

// differs says what is not as it is in this scoring, "" if all is.
func (p parts) differs(m pipeline.Manifest, index int) string {
	of, basis := m.Shard, p.session.basisOf(p.scoring)
	switch {
	case of == nil || of.Index != index || of.Of != p.of || len(m.Inputs) != len(basis.Inputs):
		return "its manifest is not that of this shard"
	case of.AsOf != p.asOf:
		return fmt.Sprintf("it is as of %s, and this scoring as of %s", of.AsOf, p.asOf)
	case of.Version != p.model.Version:
		return fmt.Sprintf("it was scored with model %s, and this scoring uses %s", of.Version, p.model.Version)
	case m.Inputs[1].SHA256 != basis.Inputs[1].SHA256:
		return fmt.Sprintf("it was scored with another model of the name %s", of.Version)
	case m.Inputs[0].SHA256 != basis.Inputs[0].SHA256:
		return "it was scored from other data than " + p.session.files.Timelines().Path + " now holds"
	case m.ConfigDigest != basis.Digest():
		return "it was scored with other settings of score.*"
	case of.CodeDigest != p.session.files.Code():
		return "it was scored by another build of churn (" + m.CodeVersion + ")"
	}
	return ""
}

// join makes the whole of the parts and removes them. The caller holds the lock of the
// workspace. Where shards have left no part it does nothing and returns them.
func (p parts) join(ctx context.Context) (report *score.Report, waiting []string, err error) {
	if report, err = p.before(ctx); err != nil {
		return nil, nil, err
	}
	if report == nil {
		if waiting, err = p.missing(); len(waiting) > 0 || err != nil {
			return nil, waiting, err
		}
		if report, err = p.joined(ctx); err != nil {
			return nil, nil, err
		}
	}
	return report, nil, os.RemoveAll(p.folder())
}

// joined reads all parts, ranks everybody and writes.
func (p parts) joined(ctx context.Context) (*score.Report, error) {
	files := p.session.files
	if now, err := files.State(files.Timelines()); err != nil || now.SHA256 != p.timelines.SHA256 {
		return nil, errors.Join(err, fmt.Errorf("%s was written anew while shards scored; run all of them again", files.Timelines().Path))
	}
	read := make([]score.Part, p.of)
	for i := range read {
		var err error
		if read[i], err = p.read(ctx, i); err != nil {
			return nil, err
		}
	}
	all, err := score.Join(read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.folder(), err)
	}
	report, err := p.session.finishScores(ctx, p.scoring, all)
	return &report, err
}

// read reads a part, which must agree with its manifest.
func (p parts) read(ctx context.Context, index int) (part score.Part, err error) {
	m, err := p.manifest(index)
	if err != nil {
		return part, err
	}
	out := p.output(index)
	info, err := atomicfile.Digest(out.Path)
	if err := errors.Join(err, p.session.files.Agree(out, m.Output, info.SHA256)); err != nil {
		return part, err
	}
	part, err = score.ReadPart(ctx, out.Path, p.asOf)
	part.NotAtRisk = m.Shard.NotAtRisk
	return part, err
}

func printShard(w io.Writer, r shardReport) {
	switch {
	case r.Part == "":
		fmt.Fprintf(w, "score     shard %s: nothing to do, all users are scored as of %s, model %s\n", r.Shard, r.AsOf, r.Version)
		return
	case r.Joined != nil:
		fmt.Fprintf(w, "score     shard %s: %s users; the last one, all parts are joined\n", r.Shard, thousands(int64(r.Scored)))
		printScore(w, *r.Joined)
		return
	}
	fmt.Fprintf(w, "score     shard %s: %s users at risk on %s, model %s; the last shard to end joins the parts\n          %s\n", r.Shard, thousands(int64(r.Scored)), r.AsOf, r.Version, r.Part)
}
