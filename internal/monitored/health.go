package monitored

import (
	"churn/pipeline/monitor/health"
)

const secondsPerDay = 24 * 60 * 60

// healthFigures tells data health.
func healthFigures(r *health.Report, f *figures) {
	for _, part := range r.Parts() {
		f.states("churn_data_status", "What the latest look at a part of data health came to (1 = this).", "status", string(part.Status), Statuses(), "part", part.Name)
	}
	measured := func(v health.Verdict) bool { return v.Status != health.Unmeasured }
	if measured(r.Freshness.Verdict) {
		f.add("churn_data_last_event_timestamp_seconds", "Day of the latest event.", seconds(r.Freshness.LastEvent.Time()))
		f.add("churn_data_missing_seconds", "Whole days without an event at the end of the data.", float64(r.Freshness.MissingDays*secondsPerDay))
	}
	if measured(r.Volume.Verdict) {
		volumeFigures(&r.Volume, f)
	}
	if measured(r.Rejected.Verdict) {
		const help = "Share of rows that validation rejected."
		f.add("churn_data_rejected_ratio", help, r.Rejected.UserShare, "table", "users")
		f.add("churn_data_rejected_ratio", help, r.Rejected.EventShare, "table", "events")
	}
	if l := &r.Late; measured(l.Verdict) {
		f.add("churn_data_late_ratio", "Share of the facts of the last week that became known on a later day.", l.Share)
		f.add("churn_data_late_usual_ratio", "The usual share of facts that become known on a later day.", l.Usual)
		for _, q := range []struct {
			percentile string
			days       int32
		}{{"50", l.P50}, {"90", l.P90}, {"99", l.P99}, {"100", l.Max}} {
			f.add("churn_data_lag_seconds", "Time from the day of a fact to the day on which it became known, by percentile, in whole days.", float64(q.days)*secondsPerDay, "percentile", q.percentile)
		}
	}
	if measured(r.Duplicates.Verdict) {
		const help = "Share of events that stand twice: by their event_id, or apart from it."
		f.add("churn_data_duplicates_ratio", help, r.Duplicates.EventShare, "kind", "event_id")
		f.add("churn_data_duplicates_ratio", help, r.Duplicates.EqualShare, "kind", "content")
	}
}

// volumeFigures tells the last week and the last day of each event type.
func volumeFigures(v *health.Volume, f *figures) {
	for i := range v.Levels {
		l := &v.Levels[i]
		span := "week"
		if l.First == l.Last {
			span = "day"
		}
		if l.Last != v.Levels[0].Last { // of the last week, which stands first
			continue
		}
		labels := []string{"event_type", l.Type, "span", span}
		f.add("churn_data_volume_events", "Events of the last day and of the last week, by type.", float64(l.Events), labels...)
		f.add("churn_data_volume_expected_events", "Events that the weekly pattern lets expect.", l.Expected, labels...)
		f.add("churn_data_volume_low_events", "Least number of events within the band.", l.Low, labels...)
		f.add("churn_data_volume_high_events", "Greatest number of events within the band.", l.High, labels...)
	}
}
