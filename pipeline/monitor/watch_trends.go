package monitor

import (
	"math"
	"slices"

	"churn/model/profile"
	"churn/pipeline"
)

// sharedDays is the number of days that go into a feature, and so into a score:
// those of the longest window, though a few features look back further.
func (w *Watch) sharedDays() int {
	return max(1, slices.Max(append([]int{1}, w.model.Spec.Features.WindowsDays...)))
}

// Trends draws lines through how far the features, and the scores, were from a
// reference on dates, which are ascending. Dates with too few rows do not count.
func (w *Watch) Trends(dates []pipeline.Date, r *Reference) ([]Trend, error) {
	var all []Series
	for _, d := range dates {
		rows, scores := w.on(w.window(d))
		if rows.Frame.Rows() < profile.LeastRows {
			continue
		}
		if r.Profile.Score == nil {
			scores = profile.Scores{}
		}
		drift, err := r.Profile.Drift(rows, scores, w.params.level())
		if err != nil {
			return nil, err
		}
		features := drift.Features
		if drift.Score != nil {
			features = append(features, *drift.Score)
		}
		for k, f := range features {
			if k == len(all) {
				all = append(all, Series{Name: "PSI of " + f.Name, SharedDays: w.sharedDays()})
			}
			all[k].Points, all[k].Limit = append(all[k].Points, Point{d, f.PSI}), f.FailLimit
		}
	}
	return Trends(all, w.params.Trend), nil
}

// TrendDates returns the dates that lines are drawn through, ascending.
func TrendDates(asOf, first pipeline.Date, every int, p Params) []pipeline.Date {
	p.History = p.Trend.Dates
	return HistoryDates(asOf, first, every, p)
}

// ScoreTrends draws lines through the scores of dates, which are ascending.
func (w *Watch) ScoreTrends(dates []pipeline.Date) []Trend {
	var over []ScorePoint
	for _, d := range dates {
		if len(w.at[d]) >= profile.LeastRows {
			over = append(over, w.point(d))
		}
	}
	series := func(name string, value func(ScorePoint) float64) Series {
		s := Series{Name: name, Limit: math.NaN(), SharedDays: w.sharedDays()}
		for _, p := range over {
			s.Points = append(s.Points, Point{p.AsOf, value(p)})
		}
		return s
	}
	return Trends([]Series{
		series("mean risk", func(p ScorePoint) float64 { return p.Mean }),
		series("share of high risks", func(p ScorePoint) float64 { return p.High }),
	}, w.params.Trend)
}
