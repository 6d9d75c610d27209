package monitor

import (
	"fmt"
	"slices"

	"churn/pipeline"
	"churn/pipeline/features"
)

// SeasonFrom returns the first of the days that Season compares a date with.
func (w *Watch) SeasonFrom(asOf pipeline.Date) pipeline.Date {
	return asOf - pipeline.Date(w.params.SeasonDays+lag(w.length)+w.length-1)
}

// Young refuses a season that begins with the day from where the windows of the
// features did not fit into the data before it, which begins on first: whoever is
// compared with such rows seems to have moved. Where only habits, which look back
// further, were not known in full, it adds a note.
func (r *Reference) Young(from, first pipeline.Date, p features.Params) error {
	days := int(from-first) + 1 // up to the first of the season
	longest := slices.Max(append([]int{1}, p.WindowsDays...))
	switch {
	case days < longest:
		return fmt.Errorf("the same weeks of the last term begin on %s, day %d of the data: the windows of features, of up to %d days, were not full yet, so that everybody would seem to have moved since; compare with the training: --reference %s",
			from, days, longest, RefTraining)
	case days < p.UsualDays:
		r.Notes = append(r.Notes, fmt.Sprintf("the same weeks of the last term begin on %s, day %d of the data: what looks back further, such as habits over %d days (features.usual_days), was not known in full and may seem to have moved since", from, days, p.UsualDays))
	}
	return nil
}
