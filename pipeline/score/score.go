package score

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"churn/internal/table"
	"churn/model/bundle"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/labels"
	"churn/pipeline/prepare"
)

// Spec is what a bundle stores so that its features can be computed again
// exactly as in training.
type Spec struct {
	Features features.Params `json:"features"`
	Labels   labels.Params   `json:"labels"`
}

// Model is a bundle ready to score snapshots. It is safe for use by several
// goroutines.
type Model struct {
	Bundle  *bundle.Bundle
	Version string
	Spec    Spec
	Index   *features.Index
}

// NewModel unpacks a bundle, and refuses one whose features this version of
// the code would compute differently.
func NewModel(b *bundle.Bundle, version string) (*Model, error) {
	m := &Model{Bundle: b, Version: version}
	if err := json.Unmarshal(*b.Spec, &m.Spec); err != nil {
		return nil, fmt.Errorf("model %s: spec: %w", version, err)
	}
	if f := features.Fingerprint(m.Spec.Features); f != b.FeatureSet {
		return nil, fmt.Errorf("model %s was trained on feature set %s and this version of churn computes %s; train again", version, b.FeatureSet, f)
	}
	m.Index = features.NewIndex(features.Catalog(m.Spec.Features))
	return m, nil
}

// Reason is one cause of a risk.
type Reason struct {
	Theme        features.Theme `json:"feature"`
	Text         string         `json:"text"`
	Contribution float64        `json:"contribution"` // log-odds above the mean of the training cohort
}

// Score is what a model says about the features of one snapshot.
type Score struct {
	Margin  float64 // log-odds before calibration; it ranks, since calibration can make risks equal
	Risk    float64 // probability of churn in the label window
	Tier    string
	Reasons []Reason // by falling contribution
}

// Result is the score of one snapshot.
type Result struct {
	Score
	User         pipeline.User
	AsOf         pipeline.Date
	SinceSignup  int64
	LastActivity float64 // days since
	Rank         int     // 1 = highest risk
}

// Scorer scores snapshots one by one: the row path of batch and server alike.
// It holds scratch space: one for each goroutine.
type Scorer struct {
	model         *Model
	params        Params
	extract       *features.Extractor
	score         *bundle.Scorer
	vector        *features.Vector // of the row scored last
	contributions []float64
	themes        []features.Theme // of numerics, then categoricals
	groups        []int            // the place of each one's theme in sums
	sums          []Reason         // scratch of explain
}

// NewScorer returns a scorer with the tiers and the number of reasons of p.
func (m *Model) NewScorer(p Params) *Scorer {
	s := &Scorer{model: m, params: p, extract: features.NewExtractor(m.Spec.Features, m.Index), score: m.Bundle.NewScorer(),
		vector: m.Index.NewVector(), contributions: make([]float64, m.Bundle.Features())}
	s.group()
	return s
}

// group finds the theme of each feature, and numbers the themes in the order in
// which they turn up.
func (s *Scorer) group() {
	var categorical, seen []features.Theme
	for i := range s.model.Index.Catalog {
		if f := &s.model.Index.Catalog[i]; f.Categorical() {
			categorical = append(categorical, f.Theme)
		} else {
			s.themes = append(s.themes, f.Theme)
		}
	}
	s.themes = append(s.themes, categorical...)
	for _, t := range s.themes {
		k := slices.Index(seen, t)
		if k < 0 {
			k, seen = len(seen), append(seen, t)
		}
		s.groups = append(s.groups, k)
	}
	s.sums = make([]Reason, len(seen))
}

// History scores one history.
func (s *Scorer) History(h *pipeline.History) Result {
	s.extract.Extract(h, s.vector)
	return Result{Score: s.scored(s.params.Reasons), User: *h.User(), AsOf: h.AsOf(), SinceSignup: int64(h.AsOf() - h.User().Signup),
		LastActivity: s.vector.Numeric[s.model.Index.Position("days_since_last_activity")]}
}

// Risk scores one history without reasons, most of the work of a model of trees.
func (s *Scorer) Risk(h *pipeline.History) Score {
	s.extract.Extract(h, s.vector)
	return s.scored(0)
}

// Row scores the features of one snapshot, in the order of the catalog, with
// at most so many reasons, and never more than the settings say. It panics if
// the features are not as many as those of the catalog.
func (s *Scorer) Row(numeric []float64, categorical []string, reasons int) Score {
	if len(numeric) != len(s.vector.Numeric) || len(categorical) != len(s.vector.Categorical) {
		panic("score: the row does not have the features of the model")
	}
	copy(s.vector.Numeric, numeric)
	copy(s.vector.Categorical, categorical)
	return s.scored(min(reasons, s.params.Reasons))
}

// Last returns the features of the snapshot scored last. They change with the
// next one.
func (s *Scorer) Last() *features.Vector { return s.vector }

// scored scores the row in s.vector.
func (s *Scorer) scored(reasons int) Score {
	margin := s.score.Margin(s.vector.Numeric, s.vector.Categorical)
	p := s.model.Bundle.Calibration.Probability(margin)
	out := Score{Margin: margin, Risk: p, Tier: s.params.Tiers.Of(p)}
	if reasons > 0 {
		s.score.Contributions(s.contributions)
		out.Reasons = s.explain(reasons)
	}
	return out
}

// explain sums the contributions of each theme and puts the largest risks into
// words. Themes that lower the risk are no reasons, nor are those whose values
// would sound like the opposite of one.
func (s *Scorer) explain(most int) []Reason {
	clear(s.sums)
	for i, c := range s.contributions {
		r := &s.sums[s.groups[i]]
		r.Theme = s.themes[i]
		r.Contribution += c
	}
	slices.SortStableFunc(s.sums, func(a, b Reason) int { return cmp.Compare(b.Contribution, a.Contribution) })
	values := features.Values{Params: s.model.Spec.Features, Catalog: s.model.Index, Vector: s.vector}
	reasons := make([]Reason, 0, most)
	for _, r := range s.sums {
		if len(reasons) == most || !(r.Contribution > 0) {
			break
		}
		r.Text = values.Say(r.Theme)
		repeats := func(other Reason) bool { return sameSilence(other.Text, r.Text) }
		if r.Text != "" && !slices.ContainsFunc(reasons, repeats) {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

// sameSilence reports whether two texts tell of the same silence: where a
// payment is the only activity, "no payment in 26 days" repeats "no activity in
// 26 days".
func sameSilence(a, b string) bool {
	silence := func(s string) (string, bool) {
		_, since, ok := strings.Cut(s, " in ")
		return since, ok && strings.HasPrefix(s, "no ")
	}
	x, okA := silence(a)
	y, okB := silence(b)
	return okA && okB && x == y
}

// Report is what the stage did.
type Report struct {
	AsOf        pipeline.Date  `json:"as_of_date"`
	Version     string         `json:"model_version"`
	Scored      int            `json:"users_scored"`
	NotAtRisk   int            `json:"users_not_at_risk"` // not active lately: already gone, or never came
	Tiers       map[string]int `json:"tiers"`
	MeanRisk    float64        `json:"mean_risk"`
	CohortDays  int            `json:"cohort_active_days"`
	WindowDays  int            `json:"window_days"`
	Top         []Result       `json:"-"`
	Hindsight   pipeline.Date  `json:"hindsight,omitempty"` // the model has seen data up to this later day
	Predictions string         `json:"predictions"`
	TopList     string         `json:"top_list"`
	SinkTable   string         `json:"sink_table,omitempty"` // where predictions went besides
}

// Part is what was said of some of the users, in user order and not yet ranked.
type Part struct {
	Results   []Result
	NotAtRisk int
}

// Score scores those of the cohort at asOf that the shard owns.
func (s Shard) Score(ctx context.Context, t *prepare.Timelines, m *Model, asOf pipeline.Date, p Params, progress func(done, total int64)) (all Part, err error) {
	work := func(users []pipeline.Timeline) (out Part, err error) {
		scorer := m.NewScorer(p)
		for i := range users {
			h, _ := users[i].Cut(asOf, &t.Header.Span)
			switch {
			case !s.Owns(users[i].User.ID) || !h.Exists():
			case !m.Spec.Labels.InCohort(&h):
				out.NotAtRisk++
			default:
				out.Results = append(out.Results, scorer.History(&h))
			}
		}
		return out, nil
	}
	_, err = prepare.Each(ctx, t, work, func(part Part) error {
		all.Results = append(all.Results, part.Results...)
		all.NotAtRisk += part.NotAtRisk
		return nil
	}, progress)
	return all, err
}

// Rank ranks everybody, in place, and reports. all must be in user order, on
// which sums and equal margins depend.
func Rank(all Part, m *Model, asOf pipeline.Date, p Params, span pipeline.Span) (Report, error) {
	report := Report{AsOf: asOf, Version: m.Version, Scored: len(all.Results), NotAtRisk: all.NotAtRisk, Tiers: map[string]int{Low: 0, Medium: 0, High: 0},
		CohortDays: m.Spec.Labels.CohortActiveDays, WindowDays: m.Spec.Labels.WindowDays}
	if report.Scored == 0 {
		return report, fmt.Errorf("nobody to score on %s: no user was active in the %d days up to it (labels.cohort_active_days); the data runs from %s to %s",
			asOf, report.CohortDays, span.First, span.Last)
	}
	order := rank(all.Results)
	for i := range all.Results {
		report.Tiers[all.Results[i].Tier]++
		report.MeanRisk += all.Results[i].Risk / float64(report.Scored)
	}
	for _, i := range order[:min(p.TopK, len(order))] {
		report.Top = append(report.Top, all.Results[i])
	}
	return report, nil
}

// rank numbers the results by falling margin, the ranking that is evaluated;
// equal margins keep the user order. It returns the positions by rank.
func rank(all []Result) []int {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[b].Margin, all[a].Margin) })
	for k, i := range order {
		all[i].Rank = k + 1
	}
	return order
}

// Schema returns the columns of the tables of predictions.
func Schema() table.Schema {
	return table.Schema{{Name: "user_id", Kind: table.Text}, {Name: "as_of_date", Kind: table.Date}, {Name: "plan", Kind: table.Text}, {Name: "is_paid", Kind: table.Int},
		{Name: "country", Kind: table.Text}, {Name: "marketing_source", Kind: table.Text}, {Name: "days_since_signup", Kind: table.Int}, {Name: "days_since_last_activity", Kind: table.Float},
		{Name: "churn_risk", Kind: table.Float}, {Name: "risk_rank", Kind: table.Int}, {Name: "risk_tier", Kind: table.Text},
		{Name: "reason_1", Kind: table.Text}, {Name: "reason_2", Kind: table.Text}, {Name: "reason_3", Kind: table.Text}, {Name: "model_version", Kind: table.Text}}
}

// Write writes results to path.
func Write(results []Result, version, path string, format table.Format) (table.Info, error) {
	return write(results, path, format, Schema(), func(b *table.Batch, r *Result) { appendResult(b, r, version) })
}

// write writes a table of one row a result.
func write(results []Result, path string, format table.Format, schema table.Schema, add func(*table.Batch, *Result)) (table.Info, error) {
	w, err := table.Create(path, format, schema)
	if err != nil {
		return table.Info{}, err
	}
	defer w.Abort()
	for part := range slices.Chunk(results, 4096) {
		b := w.NewBatch()
		for i := range part {
			add(b, &part[i])
			b.EndRow()
		}
		if err := w.Append(b); err != nil {
			return table.Info{}, err
		}
	}
	return w.Commit()
}

// WriteText writes results as the rows of a CSV file without its header.
func WriteText(results []Result, version string, w io.Writer) error {
	for part := range slices.Chunk(results, 4096) {
		b := table.NewBatch(Schema())
		for i := range part {
			appendResult(b, &part[i], version)
			b.EndRow()
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func appendResult(b *table.Batch, r *Result, version string) {
	paid := int64(0)
	if r.User.Paid {
		paid = 1
	}
	b.Text(r.User.ID)
	b.Date(r.AsOf)
	b.Text(r.User.Plan)
	b.Int(paid)
	b.Text(r.User.Country)
	b.Text(r.User.Source)
	b.Int(r.SinceSignup)
	b.Float(r.LastActivity)
	b.Float(r.Risk)
	b.Int(int64(r.Rank))
	b.Text(r.Tier)
	for i := range maxReasons {
		text := ""
		if i < len(r.Reasons) {
			text = r.Reasons[i].Text
		}
		b.Text(text)
	}
	b.Text(version)
}
