package server

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Law: names that stand twice are found wherever they stand, as by a decoder
// that compares all names; documents without any pass. The lax reader compares
// only what may be suspicious, so each kind of place has a case.
func TestLaxReaderFindsNamesThatStandTwice(t *testing.T) {
	in := newInputs(summing{"v1"})
	for _, body := range []string{
		`{"user_id":"u","snapshot_date":"2026-04-30","features":{"events_7d":1,"is_paid":true,"quiz_avg_score":null,"plan":"free","country":"DE"}}`,
		`{"user_id":"u","features":{"country":"DE","plan":"free","quiz_avg_score":2,"is_paid":1,"events_7d":1,"shoes":{"a":1,"b":{"a":2}},"sock":[{"a":1},{"a":1}]}}`,
		`{"user_id":"u","user_id":"u","features":{}}`,
		`{"user_id":"u","us\u0065r_id":"u","features":{}}`,
		`{"user_id":"u","snapshot_date":null,"snapshot_date":null,"features":{}}`,
		`{"user_id":"u","features":{},"features":{}}`,
		`{"user_id":"u","note":1,"note":2,"features":{}}`,
		`{"user_id":"u","note":{"a":1,"a":1},"features":{}}`,
		`{"user_id":{"a":1,"a":1},"features":{}}`,
		`{"user_id":"u","features":[{"a":1,"a":1}]}`,
		`{"user_id":"u","features":{"events_7d":1,"events_7d":1}}`,
		`{"user_id":"u","features":{"events_7d":1,"plan":"x","events_\u0037d":1}}`,
		`{"user_id":"u","features":{"quiz_avg_score":1,"plan":"x","quiz_avg_score":null}}`,
		`{"user_id":"u","features":{"plan":"a","plan":"a"}}`,
		`{"user_id":"u","features":{"country":"a","events_7d":3,"country":"a"}}`,
		`{"user_id":"u","features":{"shoes":1,"shoes":1}}`,
		`{"user_id":"u","features":{"shoes":[{"a":[{"b":1,"b":2}]}]}}`,
		`{"user_id":"u","features":{"events_7d":{"a":1,"a":2}}}`,
		`{"user_id":"u","features":{"plan":{"a":1,"a":2}}}`,
	} {
		var r reader
		var row instance
		r.openLax([]byte(body), false)
		err := r.instance(in, &row)
		if err == nil {
			err = r.close()
		}
		if valid := jsontext.Value(body).IsValid(); valid != (err == nil) {
			t.Errorf("%s: %v, while a strict decoder says %v", body, err, valid)
		}
	}
}
