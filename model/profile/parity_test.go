package profile

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// columnOf reads a numeric column of a CSV file; empty is NaN.
func columnOf(t *testing.T, path, name string) (out []float64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(records[0], name)
	for _, r := range records[1:] {
		x, err := strconv.ParseFloat(r[at], 64)
		if err != nil {
			x = math.NaN()
		}
		out = append(out, x)
	}
	return out
}

// PSI is that of the original course to the last digits: the numbers are what
// its Python wrote for the shared data set (training set against all features).
func TestPSIIsThatOfTheCourse(t *testing.T) {
	root := os.Getenv("CHURN_SHARED")
	dir := filepath.Join(root, "parity", "seed_small", "expected")
	data, err := os.ReadFile(filepath.Join(dir, "data_drift_latest.json"))
	if root == "" || os.IsNotExist(err) {
		t.Skip("the shared data set is not here: its terms do not allow it into the repository; name the folder that holds parity/ with CHURN_SHARED=DIR")
	}
	var want struct {
		PSI map[string]float64 `json:"psi_by_feature"`
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.PSI) == 0 {
		t.Fatal(err)
	}
	for name, psi := range want.PSI {
		got := PSI(columnOf(t, filepath.Join(dir, "training_dataset.csv.gz"), name), columnOf(t, filepath.Join(dir, "user_features_daily.csv.gz"), name), 10)
		near(t, name, got, psi, 1e-15)
	}
}
