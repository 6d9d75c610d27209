package promote

import "fmt"

// Shadow is what servers have seen of the challenger beside the champion: both
// scored the same requests, and nobody was answered with the challenger's risk.
// A difference is the challenger's risk less the champion's.
type Shadow struct {
	Rows, Failed, Skipped int64   // scored by both; without a risk by the challenger; without its features
	Mean, MeanAbsolute    float64 // difference
	RankCorrelation       float64 // Spearman's
	SameTier              float64 // share of the rows
	HighOnly, HighNoMore  float64 // shares that only the challenger, and only the champion, calls high
	Milliseconds          float64 // for a row of the challenger, on average
}

// shadow shows how the challenger did beside the champion. However alike or
// unlike the answers are, that proves nothing while nobody knows who left; but a
// challenger that did not answer must not be asked in earnest.
func (j *judge) shadow() {
	s := j.in.Shadow
	if s == nil || j.in.Champion == nil {
		return
	}
	c := Criterion{Name: "shadow", Outcome: Pass}.plain()
	switch {
	case s.Failed > 0:
		c.Outcome, c.Change = Unproven, "a challenger that answers every request; GET /model of the server, and its log, say what went wrong"
		c.Text = fmt.Sprintf("beside %s it gave no risk to %d of %d requests", j.in.Champion.Model.Version, s.Failed, s.Failed+s.Rows)
	case s.Rows == 0:
		c.Text = fmt.Sprintf("beside %s it could score none of %d requests, which do not have its features", j.in.Champion.Model.Version, s.Skipped)
	default:
		c.Difference.Value = Number(s.Mean)
		c.Text = fmt.Sprintf("beside %s it scored %d requests, %.2g ms each: risks differ by %.3f on average, rank correlation %.3f, %.1f%% in the same tier, %.1f%% newly high, %.1f%% no more",
			j.in.Champion.Model.Version, s.Rows, s.Milliseconds, s.MeanAbsolute, s.RankCorrelation, 100*s.SameTier, 100*s.HighOnly, 100*s.HighNoMore)
	}
	j.add(c)
}
