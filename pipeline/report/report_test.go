package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"churn/internal/figures"
	"churn/model/calibrate"
	"churn/model/metric"
	"churn/pipeline"
	"churn/pipeline/backtest"
	"churn/pipeline/evaluate"
	"churn/pipeline/train"
)

// hostile is a name that breaks a page which does not escape it.
const hostile = `<script>alert("x")</script>&'`

func est(name string, value float64) metric.Estimate {
	return metric.Estimate{Name: name, Value: value, Low: value - 0.05, High: value + 0.05}
}

func none(name string) metric.Estimate {
	return metric.Estimate{Name: name, Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
}

// estimates are those of a model; those of the rule lack the probabilities.
func estimates(pr float64) []metric.Estimate {
	return []metric.Estimate{est("pr_auc", pr), est("roc_auc", 0.8), est("base_rate", 0.14), est("log_loss", 0.32), est("brier", 0.1), est("calibration_in_the_large", 0.008), est("ece", 0.012),
		none("calibration_slope"), est("precision_at_50", pr+0.1), est("lift_at_10pct", 3.1), est("profit_at_capacity", 1000*pr), est("empc", 1.6)}
}

var days = []pipeline.Date{20_000, 20_007, 20_014}

// whole evaluation, training and backtest, with a hostile name wherever data
// or a configuration can bring one in.
func full() Input {
	return Input{Evaluation: evaluation(), Training: training(), Backtest: past()}
}

func evaluation() evaluate.Evaluation {
	group := func(name string) evaluate.Group {
		return evaluate.Group{Name: name, Rows: 1000, Users: 300, Churned: 140, MeanRisk: 0.15, Model: estimates(0.4), Rule: est("pr_auc", 0.33)}
	}
	e := evaluate.Evaluation{Version: "v0007" + hostile, Kind: "logistic", From: days[0], To: days[2], WindowDays: 30, CohortDays: 30, Value: evaluate.DefaultValue(),
		Cohort:   evaluate.Population{Rows: 3000, Users: 900, Dates: 3, Positives: 420, Model: estimates(0.4), Rule: estimates(0.33)[:3]},
		Everyone: &evaluate.Population{Rows: 9000, Users: 2000, Dates: 3, Positives: 4200, Model: estimates(0.86), Rule: estimates(0.92)},
		OverRule: []metric.Estimate{est("pr_auc", 0.07), est("roc_auc", 0.06), {Name: "profit_at_capacity", Value: 80, Low: 20, High: 160}},
		Segments: []evaluate.Segment{{By: "country", Groups: []evaluate.Group{group(hostile), group("DE")}, Small: 3}, {By: "plan", Groups: []evaluate.Group{}, Small: 2}},
		Warnings: []string{"in sample: figures flatter " + hostile, "the mean risk differs"},
		Importance: []evaluate.Importance{{Feature: "a", Title: hostile, Theme: "recency", Mean: 0.4}, {Feature: "b", Title: "logins", Theme: hostile, Mean: 0.2},
			{Feature: "c", Title: strings.Repeat("long ", 30), Theme: "recency", Mean: 0.1}},
		Decision: evaluate.Decision{Threshold: 1.0 / 6, Confusion: metric.Confusion{TruePositives: 1, FalsePositives: 2, FalseNegatives: 3, TrueNegatives: 4}, Precision: 1.0 / 3, Recall: 0.25,
			AtCapacity: est("profit_at_capacity", 400), Rule: none("profit_at_capacity"), Stopping: est("profit_at_threshold", 390), Contacts: est("contacts_at_threshold", 48), EMPC: est("empc", 1.6), RuleEMPC: est("empc", 1.3)},
	}
	for _, d := range days {
		e.ByDate = append(e.ByDate, group(d.String()))
	}
	e.Calibration = evaluate.Calibration{Kind: "none", InTheLarge: est("calibration_in_the_large", 0.008), ECE: est("ece", 0.012), Slope: none("calibration_slope"),
		Reliability: metric.Reliability{Bins: []metric.Bin{{Rows: 300, Users: 200, MeanProb: 0.05, Rate: 0.04, RateLow: 0.02, RateHigh: 0.07}, {Rows: 300, Users: 210, MeanProb: 0.4, Rate: 0.42, RateLow: 0.35, RateHigh: 0.5}}, ExpectedECE: 0.01},
		Brier:       metric.Decomposition{Brier: 0.1, Reliability: 0.001, Resolution: 0.02, Uncertainty: 0.12}}
	line := []metric.CurvePoint{{X: 0, Y: 0}, {X: 0.5, Y: 0.8}, {X: 1, Y: 1}}
	gains := []metric.Gain{{Share: 0.5, Rows: 1500, Recall: 0.8, Precision: 0.2, Lift: 1.6}, {Share: 1, Rows: 3000, Recall: 1, Precision: 0.14, Lift: 1}}
	e.Curves = evaluate.Curves{PR: line, ROC: line, Gains: gains, RulePR: line[:1], RuleROC: line[:2], RuleGains: gains[:1]}
	return e
}

func training() *train.Report {
	model := train.Measured{Name: "logistic", Setting: hostile, Estimates: estimates(0.4), Fit: &train.Fit{Status: "converged", Iterations: 5},
		Trials:      []train.Trial{{Setting: "l2_regularization 1", LogLoss: 0.38, PRAUC: 0.42, Iterations: 4, Chosen: true}},
		Calibration: &calibrate.Choice{Kind: "none", Rows: 900, Folds: 5, Candidates: []calibrate.Candidate{{Kind: "none", LogLoss: 0.38}, {Kind: "isotonic", Refused: "too few rows"}}}}
	ceiling := train.Measured{Name: train.NameTruth, Estimates: estimates(0.66)}
	return &train.Report{WindowDays: 30, Models: []train.Measured{model}, Floor: train.Measured{Name: "linear", Estimates: estimates(0.33)}, Rule: train.Measured{Name: train.NameRule, Estimates: estimates(0.33)[:3]}, Ceiling: &ceiling,
		Split:     train.Split{TrainFirst: 19_700, TrainLast: 19_960, TestFirst: days[0], TestLast: days[2], Purged: 4, TrainRows: 20_000, TestRows: 3000, TrainRate: 0.15, TestRate: 0.14},
		Folds:     []train.Fold{{By: train.ByDates, FitFirst: 19_700, FitLast: 19_850, ValidateFirst: 19_890, ValidateLast: 19_960}},
		Selection: train.Selection{Name: "logistic", Reason: "the only model"}, Warnings: []string{"the churn rate moved"},
		Verdicts: []train.Verdict{{Name: "logistic", Passed: true, Reason: "beats the floor", Warning: "the lead may be chance"}}}
}

func past() *backtest.Report {
	step := func(asOf pipeline.Date, difference float64) backtest.Step {
		m := backtest.Measure{Model: est("pr_auc", 0.4), Rule: est("pr_auc", 0.33), Difference: est("pr_auc", difference)}
		return backtest.Step{AsOf: asOf, Last: asOf + 21, Rows: 900, Users: 500, TrainRows: 5000, Model: "logistic", TrainedOn: asOf, BaseRate: 0.2, MeanRisk: 0.19, PRAUC: m, ROCAUC: m, Profit: m,
			Lines: []backtest.Line{{Name: backtest.LineFrozen, PRAUC: est("pr_auc", 0.4-difference), LogLoss: est("log_loss", 0.5)}, {Name: backtest.LineLatest, PRAUC: m.Model, LogLoss: est("log_loss", 0.4)}}}
	}
	comparison := func(name string, models int) backtest.Comparison {
		return backtest.Comparison{Name: name, Models: models, Estimates: []metric.Estimate{est("pr_auc", 0.4)}, OverFrozen: []metric.Estimate{est("pr_auc", 0.031)}}
	}
	all := backtest.Measure{Model: est("pr_auc", 0.4), Rule: est("pr_auc", 0.33), Difference: est("pr_auc", 0.01)}
	return &backtest.Report{Plan: backtest.Plan{From: days[0], To: days[0] + 56, Every: 28}, Rows: 1800, Users: 700, PRAUC: all, Profit: all,
		Lines: []backtest.Comparison{comparison(backtest.LineFrozen, 1), comparison(backtest.LineLatest, 2)},
		Steps: []backtest.Step{{AsOf: days[0], Note: "no label window had closed yet"}, step(days[0]+28, 0.07), step(days[0]+56, -0.02)}}
}

// meagre is the least that an evaluation can be: one date, no intervals, nothing
// else.
func meagre() Input {
	undefined := []metric.Estimate{{Name: "pr_auc", Value: 0.4, Low: math.NaN(), High: math.NaN()}, none("roc_auc")}
	e := evaluate.Evaluation{Version: "v0001", Kind: "gbdt", From: days[0], To: days[0], WindowDays: 30, Cohort: evaluate.Population{Rows: 40, Users: 40, Dates: 1, Positives: 20, Model: undefined},
		OverRule: []metric.Estimate{none("pr_auc")}, ByDate: []evaluate.Group{{Name: days[0].String(), Rows: 40, Users: 40, Churned: 20, Model: undefined, Rule: none("pr_auc")}}, Segments: []evaluate.Segment{{By: "plan"}}}
	e.Decision.AtCapacity, e.Decision.EMPC, e.Calibration.ECE = none(""), none(""), none("")
	return Input{Evaluation: e}
}

func render(t *testing.T, in Input) string {
	t.Helper()
	b, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// inputs are the pages that every law must hold for.
func inputs() map[string]Input {
	empty := meagre()
	empty.Evaluation.ByDate, empty.Evaluation.Segments, empty.Evaluation.OverRule = nil, nil, nil
	users := full()
	users.Training.Folds = []train.Fold{{By: train.ByUsers}}
	users.Training.Ceiling, users.Backtest.Steps = nil, users.Backtest.Steps[:2]
	return map[string]Input{"full": full(), "least": meagre(), "empty": empty, "folds by users": users, "nothing": {}}
}

// faults returns what is wrong with a page whatever it shows.
func faults(page string) (out []string) {
	for _, mark := range []string{"NaN", "Inf", "http:", "https:", "src=", "@import", "url(", "<link", "#C0D", "%!", "ZgotmplZ"} {
		if strings.Contains(page, mark) {
			out = append(out, "contains "+mark)
		}
	}
	if strings.Contains(page, "<script") {
		out = append(out, "has a script")
	}
	if len(page) > 400_000 {
		out = append(out, fmt.Sprintf("has %d bytes", len(page)))
	}
	for i, svg := range drawings(page) {
		if err := wellFormed(svg); err != nil {
			out = append(out, fmt.Sprintf("drawing %d: %v", i, err))
		}
		if !strings.Contains(svg, `role="img" aria-label="`) || !strings.Contains(svg, "<title>") {
			out = append(out, fmt.Sprintf("drawing %d says nothing to those who cannot see it", i))
		}
	}
	if drawn := strings.Count(page, "<figure>"); drawn != len(drawings(page)) || strings.Count(page, "<details>") != drawn {
		out = append(out, "a figure lacks its drawing or its numbers")
	}
	return out
}

func drawings(page string) []string {
	return regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(page, -1)
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestPagesAreSound(t *testing.T) {
	for name, in := range inputs() {
		page := render(t, in)
		for _, f := range faults(page) {
			t.Errorf("%s: %s", name, f)
		}
		if err := wellFormed(page[strings.Index(page, "<body>") : strings.Index(page, "</body>")+len("</body>")]); err != nil {
			t.Errorf("%s: the body: %v", name, err)
		}
	}
	if n := len(drawings(render(t, full()))); n < 12 {
		t.Errorf("%d drawings only", n)
	}
}

// The mutants: each spoils a page in a way that faults must see.
func TestFaultsAreSeen(t *testing.T) {
	page := render(t, full())
	for _, m := range []struct{ name, from, to string }{
		{"a number is not one", "0.400", "NaN"},
		{"a name is not escaped", "&lt;script&gt;", "<script>"},
		{"the network is used", "<style>", `<link href="//x"><style>`},
		{"a drawing is cut off", "</g>", ""},
		{"a drawing is mute", `role="img"`, ""},
		{"a figure is gone", "</svg>", "</svg><figure>"},
		{"an ink has no colour", "var(--model)", "#C0DE00"},
	} {
		spoiled := strings.Replace(page, m.from, m.to, 1)
		if spoiled == page {
			t.Errorf("%s: the mutant changes nothing", m.name)
		}
		if len(faults(spoiled)) == 0 {
			t.Errorf("%s: not seen", m.name)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	want := render(t, full())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(7))
	if got := render(t, full()); got != want {
		t.Error("the second page differs")
	}
	later := full()
	later.Evaluation.To++
	if render(t, later) == want {
		t.Error("another period gives the same page")
	}
}

// What speaks against a model stands above the first part of the page.
func TestWarningsStandOnTop(t *testing.T) {
	in := full()
	in.Evaluation.Suspicion.Reason = "a feature knows the future"
	page := render(t, in)
	top, _, _ := strings.Cut(page, "<main>")
	for _, w := range []string{"in sample: figures flatter &lt;script&gt;", "the mean risk differs", "the churn rate moved", "the lead may be chance", "LEAK ALARM: a feature knows the future",
		"Too good to be true", "over everyone, long-silent users included, the rule ranks at least as well", "backtest: it is not shown"} {
		if !strings.Contains(top, w) {
			t.Errorf("the top does not say %q", w)
		}
	}
}

// A training that was not purged is said to be so, and one that was is not.
func TestOverlapIsSaid(t *testing.T) {
	in := full()
	last := in.Training.Split.TestFirst - pipeline.Date(in.Training.WindowDays)
	for _, c := range []struct {
		last pipeline.Date
		said bool
	}{{last - 1, false}, {last, true}} {
		in.Training.Split.TrainLast = c.last
		if said := strings.Contains(render(t, in), "reach into the test period (no purge)"); said != c.said {
			t.Errorf("training up to %s: said %v", c.last, said)
		}
	}
}

// One group that is everyone says nothing that the whole does not.
func TestSegmentOfOneGroup(t *testing.T) {
	e := evaluation()
	e.Segments = []evaluate.Segment{{By: "plan", Groups: e.Segments[0].Groups[1:]}}
	if s := segments(e); len(s.Figures) != 0 || len(s.Notes) != 1 {
		t.Errorf("%d drawings and notes %q", len(s.Figures), s.Notes)
	}
	e.Segments[0].Small = 1
	if s := segments(e); len(s.Figures) != 1 {
		t.Error("a group beside small ones is not drawn")
	}
}

func TestVerdict(t *testing.T) {
	better, worse, perhaps := metric.Estimate{Value: 0.1, Low: 0.05, High: 0.15}, metric.Estimate{Value: -0.1, Low: -0.2, High: 0.05}, metric.Estimate{Value: 0.1, Low: -0.05, High: 0.3}
	for _, c := range []struct {
		name         string
		rank, profit metric.Estimate
		leak, tone   string
	}{
		{"better", better, better, "", "good"}, {"profit by chance", better, perhaps, "", "unclear"}, {"profit lost", better, worse, "", "unclear"}, {"rank by chance", perhaps, better, "", "unclear"},
		{"worse", worse, better, "", "bad"}, {"no more than equal", metric.Estimate{}, better, "", "bad"}, {"leak", better, better, "seen", "bad"}, {"not measured", none(""), none(""), "", "unclear"}, {"no interval", metric.Estimate{Value: 0.1, Low: math.NaN(), High: math.NaN()}, better, "", "unclear"},
	} {
		e := evaluation()
		c.rank.Name, c.profit.Name = metric.PRAUC, metric.ProfitAtCapacity
		e.OverRule, e.Suspicion.Reason = []metric.Estimate{c.rank, c.profit}, c.leak
		if tone, text := verdict(e); tone != c.tone || text == "" {
			t.Errorf("%s: %s (%s), want %s", c.name, tone, text, c.tone)
		}
	}
}

func TestHeadlineNumbers(t *testing.T) {
	e := evaluation()
	e.Cohort.Rule = append(e.Cohort.Rule, metric.Estimate{Name: "precision_at_50", Value: 0.45})
	if got, want := named(e), "Of the 50 users named first on a date, 50% left, against 14% of all users at risk and 45% of those whom the rule names first."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e.Value.Capacity = 70 // not measured: the first list that was
	if got := topList(e); got != "50" {
		t.Errorf("list %q", got)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{written(days[0]), "4\u00a0October\u00a02024"}, {short("äöüß", 3), "äö…"}, {short("äöü", 3), "äöü"},
		{estimate(metric.Estimate{Value: 0.1, Low: -0.1, High: 0.3}, figures.Signed(figures.Points)), "+10.0 points (−10.0\u00a0to\u00a0+30.0)"}, {estimate(none(""), figures.Percent), figures.Undefined},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// An axis holds its values, begins and ends at a tick, and has a readable
// number of them.
func TestNumbersHoldTheValues(t *testing.T) {
	for _, values := range [][]float64{{0, 0.66}, {-300, 240}, {0, 0}, {5, 5}, {1e-9, 3e-9}, {0, 1e12}, {}, {math.NaN(), 2}, {-0.1, -0.05}} {
		a := numbers("", values, figures.Plain)
		n := len(a.ticks)
		if n < 2 || n > wanted+3 || a.ticks[0].at != a.min || math.Abs(a.ticks[n-1].at-a.max) > 1e-9*math.Abs(a.max) {
			t.Errorf("%v: axis %v to %v with %d ticks", values, a.min, a.max, n)
		}
		for _, v := range values {
			if v < a.min || v > a.max {
				t.Errorf("%v lies outside of %v to %v", v, a.min, a.max)
			}
		}
	}
}

func TestCalendarNamesTheLastDate(t *testing.T) {
	for n := range 40 {
		var dates []pipeline.Date
		for k := range n {
			dates = append(dates, days[0]+pipeline.Date(7*k))
		}
		a := calendar("", dates)
		if len(a.ticks) > mostDates || (n > 0 && a.ticks[len(a.ticks)-1].text != dates[n-1].String()) {
			t.Errorf("%d dates: ticks %v", n, a.ticks)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	in := full()
	var page []byte
	for b.Loop() {
		page, _ = Render(in)
	}
	if !bytes.Contains(page, []byte("</html>")) {
		b.Error("not a page")
	}
	b.ReportMetric(float64(len(page)), "bytes/page")
}
