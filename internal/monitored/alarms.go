package monitored

import (
	"path/filepath"

	"churn/pipeline/monitor/alarms"
)

// AlarmStore is the store of the alarms of a folder of metrics.
func AlarmStore(dir string) alarms.Store {
	return alarms.Store{Path: filepath.Join(dir, Alarms+".json")}
}

// alarmFigures tells the states of the alarms. Silences are told by their end:
// a figure that is read later must not say that one is still in force.
func alarmFigures(dir string, f *figures) error {
	b, err := AlarmStore(dir).Read()
	if err != nil {
		f.add("churn_alarms_readable", "1 if the state of the alarms can be read.", 0)
		return err
	}
	if b.Evaluated.IsZero() {
		return nil
	}
	f.add("churn_alarms_readable", "1 if the state of the alarms can be read.", 1)
	f.add("churn_alarms_evaluated_timestamp_seconds", "When the alarms were last evaluated.", seconds(b.Evaluated))
	f.add("churn_alarms_undelivered_messages", "Messages that the webhook has not taken yet.", float64(len(b.Outbox)))
	var states []string
	for _, s := range alarms.States() {
		states = append(states, string(s))
	}
	for _, a := range b.Alarms {
		f.states("churn_alarm_state", "State of an alarm (1 = this).", "state", string(a.State), states, "alarm", a.Name)
		f.add("churn_alarm_since_timestamp_seconds", "When the state of an alarm began.", seconds(a.Since), "alarm", a.Name)
		f.add("churn_alarm_silenced_until_timestamp_seconds", "When the silence of an alarm ends; 0 = it was not silenced, or no longer is.", seconds(b.SilencedUntil(a.Name)), "alarm", a.Name)
	}
	return nil
}
