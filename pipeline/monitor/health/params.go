package health

import (
	"errors"
	"fmt"
	"time"

	"churn/pipeline"
)

// Params are the limits of data health. Those that end in warn give WARN, those
// that end in fail FAIL; what validation limits, it limits here too.
type Params struct {
	FreshnessWarnDays  int      `mapstructure:"freshness_warn_days"` // whole days without an event at the end of the data
	FreshnessFailDays  int      `mapstructure:"freshness_fail_days"`
	VolumeFalseAlarms  float64  `mapstructure:"volume_false_alarms"`   // share of runs that judge sound volumes odd, over all counts together
	VolumeWarnRatio    float64  `mapstructure:"volume_warn_ratio"`     // factor from the expected number, either way
	VolumeFailRatio    float64  `mapstructure:"volume_fail_ratio"`     // of the events of a week
	VolumeFailDayRatio float64  `mapstructure:"volume_fail_day_ratio"` // of the events of a day
	Holidays           []string `mapstructure:"holidays"`              // 2026-12-25, or 12-25 of every year: odd volumes are a warning at most
	RejectWarnShare    float64  `mapstructure:"reject_warn_share"`     // of the rows; FAIL is validate.max_reject_rate
	LateWarnShare      float64  `mapstructure:"late_warn_share"`       // of the facts, above the usual share
	LateFailShare      float64  `mapstructure:"late_fail_share"`
	DuplicateWarnShare float64  `mapstructure:"duplicate_warn_share"` // of events whose event_id stood before
}

// Defaults returns the built-in settings.
func Defaults() Params {
	return Params{FreshnessWarnDays: 1, FreshnessFailDays: 3, VolumeFalseAlarms: 0.01, VolumeWarnRatio: 1.5, VolumeFailRatio: 2, VolumeFailDayRatio: 4,
		Holidays: []string{"01-01", "12-24", "12-25", "12-26", "12-31"}, RejectWarnShare: 0.005, LateWarnShare: 0.05, LateFailShare: 0.25, DuplicateWarnShare: 0.001}
}

// Validate returns all faults, each with its dotted key.
func (p Params) Validate() error {
	var errs []error
	fault := func(ok bool, key, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("monitor.health."+key+": "+format, args...))
		}
	}
	share := func(key string, v float64) {
		fault(v >= 0 && v <= 1, key, "%v is not a share; use a number from 0 to 1", v)
	}
	fault(p.FreshnessWarnDays >= 1, "freshness_warn_days", "%d is out of range; use 1 or more", p.FreshnessWarnDays)
	fault(p.FreshnessFailDays >= p.FreshnessWarnDays, "freshness_fail_days", "%d is less than freshness_warn_days; use that or more", p.FreshnessFailDays)
	fault(p.VolumeFalseAlarms > 0 && p.VolumeFalseAlarms < 1, "volume_false_alarms", "%v is out of range; use a share above 0 and below 1", p.VolumeFalseAlarms)
	fault(p.VolumeWarnRatio > 1, "volume_warn_ratio", "%v is out of range; use a factor above 1", p.VolumeWarnRatio)
	fault(p.VolumeFailRatio >= p.VolumeWarnRatio, "volume_fail_ratio", "%v is less than volume_warn_ratio; use that or more", p.VolumeFailRatio)
	fault(p.VolumeFailDayRatio >= p.VolumeWarnRatio, "volume_fail_day_ratio", "%v is less than volume_warn_ratio; use that or more", p.VolumeFailDayRatio)
	share("reject_warn_share", p.RejectWarnShare)
	share("late_warn_share", p.LateWarnShare)
	share("late_fail_share", p.LateFailShare)
	fault(p.LateFailShare >= p.LateWarnShare, "late_fail_share", "%v is less than late_warn_share; use that or more", p.LateFailShare)
	share("duplicate_warn_share", p.DuplicateWarnShare)
	for _, text := range p.Holidays {
		_, err := parseHoliday(text)
		fault(err == nil, "holidays", "%q is no day; write 2026-12-25, or 12-25 for every year", text)
	}
	return errors.Join(errs...)
}

// holiday is a day of one year, or of every year.
type holiday struct {
	year  int // 0 = every
	month time.Month
	day   int
}

func parseHoliday(text string) (holiday, error) {
	if t, err := time.Parse("01-02", text); err == nil {
		return holiday{0, t.Month(), t.Day()}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	return holiday{t.Year(), t.Month(), t.Day()}, err
}

// Holiday reports whether a day is in the list.
func (p Params) Holiday(d pipeline.Date) bool {
	year, month, day := d.Time().Date()
	for _, text := range p.Holidays {
		h, err := parseHoliday(text)
		if err == nil && (h.year == 0 || h.year == year) && h.month == month && h.day == day {
			return true
		}
	}
	return false
}
