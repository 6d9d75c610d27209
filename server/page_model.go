package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"churn/internal/figures"
	"churn/server/chart"
)

// modelView is the page about the model in use.
type modelView struct {
	Status     ModelStatus
	Info       *ModelInfo
	Card       *Card // nil = none is in use, or its version is gone
	Verdict    string
	Tone       string // good, unclear or bad
	Measures   []measureRow
	Calibrated *chart.Drawing
	Importance []importanceRow
	More       int // features that are not shown
	Past       *Past
	MayMove    bool   // this client may roll back
	Why        string // if not, why
	Targets    []VersionHead
	Warnings   []string
}

// measureRow is a line of the table of figures.
type measureRow struct {
	Name, Meaning      string
	Model, Rule, Floor figure
}

// figure is a value with its interval as they are read; – is what is not defined.
type figure struct{ Value, Interval string }

type importanceRow struct {
	Importance
	Width string
}

func (s *Server) modelPage(c echo.Context) error {
	ctx := c.Request().Context()
	v := modelView{Status: s.options.Models.Status()}
	if model := s.options.Models.Current(); model != nil {
		info := model.Info()
		v.Info = &info
		card, err := s.options.Pages.Cards.Card(ctx, info.Version)
		switch {
		case err == nil:
			v.read(&card)
		case errors.Is(err, ErrNotKept):
		default:
			s.unread(c, "the papers of this version", err, &v.Warnings)
		}
	}
	past, err := s.options.Pages.Ledger.Past(ctx)
	switch {
	case err == nil:
		v.remember(&past)
	case !errors.Is(err, ErrNotKept):
		s.unread(c, "the moves of the models", err, &v.Warnings)
	}
	v.MayMove, v.Why = s.mayMove(c)
	return s.show(c, pageModel, "Model", &v)
}

// mayMove reports whether the client may roll back.
func (s *Server) mayMove(c echo.Context) (may bool, why string) {
	k := c.(*call)
	switch {
	case len(s.keys.inForce()) == 0:
		return false, "Rolling back is never without a key, and this server has none: `churn key new NAME --scopes read,admin` makes one. Or run `churn registry rollback --reason TEXT` where the registry is."
	case k.key == nil || !k.key.allows(ScopeAdmin):
		return false, fmt.Sprintf("You have signed in as %s, who may look but not move models: sign in with a key of the scope admin (in a private window, browsers ask again), or run `churn registry rollback --reason TEXT`.", k.client)
	}
	return true, ""
}

// read fills in what the card says.
func (v *modelView) read(card *Card) {
	v.Card = card
	v.Tone, v.Verdict = verdictOf(card)
	v.Measures = measureRows(card.Measures)
	v.Warnings = append(v.Warnings, card.Warnings...)
	e := card.Evaluated
	if e == nil {
		return
	}
	v.Warnings = append(v.Warnings, e.Warnings...)
	if len(e.Bins) > 0 {
		drawn := calibrationChart(e.Bins)
		v.Calibrated = &drawn
	}
	most := e.Importance[:min(mostFeatures, len(e.Importance))]
	for _, x := range most {
		v.Importance = append(v.Importance, importanceRow{x, share(x.Mean / most[0].Mean)})
	}
	v.More = len(e.Importance) - len(most)
}

// mostFeatures bounds the features whose importance is shown.
const mostFeatures = 15

// verdictOf says in a sentence whether the model is worth having.
func verdictOf(card *Card) (tone, text string) {
	rank, profit := card.OverRule, card.ProfitOver
	switch {
	case !figures.Finite(rank.Value):
		return "unclear", "It could not be compared with the simple rule."
	case rank.Value <= 0:
		return "bad", "It does not beat the simple rule “longest silent first”: use the rule."
	case !(rank.Low > 0):
		return "unclear", "It is not shown that it beats the simple rule “longest silent first”: its lead may be chance."
	case !(profit.Low > 0):
		return "unclear", "It ranks users better than the simple rule “longest silent first”; that it earns more is not shown."
	}
	return "good", "It beats the simple rule “longest silent first”, in ranking and in money."
}

// measureRows are the figures that people look at, in words.
func measureRows(all []Measure) (out []measureRow) {
	d3 := figures.Decimals(3)
	for _, m := range []struct {
		name, title, meaning string
		write                figures.Format
	}{
		{"pr_auc", "PR-AUC", "ranking of leavers; 1 is perfect, a blind guess gets the churn rate", d3},
		{"roc_auc", "ROC-AUC", "a leaver ranks above a stayer so often; a blind guess gets 0.5", d3},
		{"precision_at_50", "Left, of the first 50", "of the 50 named first on a date, so many left", figures.Percent},
		{"lift_at_10pct", "Lift of the first tenth", "times as many leavers as in a random tenth", figures.Decimals(1)},
		{"profit_at_capacity", "Profit a date", "by calling as many as can be called", figures.Money},
		{"calibration_in_the_large", "Mean risk less churn rate", "0 is right", figures.Signed(figures.Points)},
		{"ece", "Calibration error", "how far risks are off on average", figures.Percent1},
		{"log_loss", "Log-loss", "lower is better", d3},
		{"brier", "Brier score", "lower is better", d3},
		{"base_rate", "Churn rate", "of all users at risk in the test period", figures.Percent1},
	} {
		i := slices.IndexFunc(all, func(x Measure) bool { return x.Name == m.name })
		if i >= 0 {
			out = append(out, measureRow{m.title, m.meaning, estimate(all[i].Model, m.write), estimate(all[i].Rule, m.write), estimate(all[i].Floor, m.write)})
		}
	}
	return out
}

// estimate writes a figure with its interval.
func estimate(e Estimate, write figures.Format) figure {
	switch {
	case !figures.Finite(e.Value):
		return figure{Value: "–"}
	case !figures.Finite(e.Low) || !figures.Finite(e.High) || e.Low == e.High:
		return figure{Value: write(e.Value)}
	}
	const unit = " points"
	return figure{write(e.Value), fmt.Sprintf("%s\u00a0to\u00a0%s", strings.TrimSuffix(write(e.Low), unit), strings.TrimSuffix(write(e.High), unit))}
}

// calibrationChart draws what was predicted against what happened.
func calibrationChart(bins []CalibrationBin) chart.Drawing {
	values := []float64{0}
	dots := chart.Series{Name: "a tenth of the snapshots, with the interval of its churn rate", Ink: "model", Style: chart.Dots}
	for _, b := range bins {
		values = append(values, b.MeanRisk, b.Left.High)
		dots.Points = append(dots.Points, chart.Point{X: b.MeanRisk, Y: b.Left.Value, Low: b.Left.Low, High: b.Left.High,
			Tip: fmt.Sprintf("risk %s: %s left (%s to %s), %s", figures.Percent1(b.MeanRisk), figures.Percent1(b.Left.Value), figures.Percent1(b.Left.Low), figures.Percent1(b.Left.High), plural(b.Rows, "snapshot"))})
	}
	both := chart.Numbers(values, figures.Percent)
	right := chart.Series{Name: "on this line risks are right", Ink: "quiet", Style: chart.Dashed, Points: []chart.Point{{}, {X: both.Max, Y: both.Max}}}
	return chart.Chart{Alt: "Predicted risk against the share that left, in ten bins; the numbers are in the table below.", X: both, Y: both, Series: []chart.Series{right, dots}}.Draw()
}

// remember fills in the history.
func (v *modelView) remember(past *Past) {
	v.Past = past
	slices.Reverse(past.Moves)
	for _, x := range slices.Backward(past.Versions) {
		if x.Served && x.Version != past.Production { // what no gate has let in is promoted, not rolled back to
			v.Targets = append(v.Targets, x)
		}
	}
}

// cardText answers with the model card in Markdown.
func (s *Server) cardText(c echo.Context) error {
	card, err := s.options.Pages.Cards.Card(c.Request().Context(), s.options.Models.Status().Version)
	switch {
	case err != nil && !errors.Is(err, ErrNotKept):
		return err
	case err != nil || len(card.Text) == 0:
		return Refuse(NotFound, "there is no model card")
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, fmt.Sprintf(`inline; filename="model_card_%s.md"`, card.Version))
	return c.Blob(http.StatusOK, "text/markdown; charset=utf-8", card.Text)
}
