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

// golden is testdata/parity.json; its README says where it comes from.
type golden struct {
	Cases []struct {
		Kind          string    `json:"kind"`
		Before        []float64 `json:"before"`
		Now           []float64 `json:"now"`
		CellsBefore   []int     `json:"cells_before"`
		CellsNow      []int     `json:"cells_now"`
		LeastExpected float64   `json:"least_expected"`
		Chi2P         float64   `json:"chi2_p"`
		JensenShannon float64   `json:"jensen_shannon"`
		KS            float64   `json:"ks"`
		Shift         float64   `json:"shift"`
		CoursePSI     float64   `json:"course_psi"`
	} `json:"cases"`
}

// Distances are those of scipy, and PSI that over numpy's quantiles. Pearson's
// test is compared where no cell is small, since we take small ones together.
func TestDistancesAreThoseOfScipy(t *testing.T) {
	data, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil || len(g.Cases) < 10 {
		t.Fatalf("%d cases (%v)", len(g.Cases), err)
	}
	tested := 0
	for i, c := range g.Cases {
		name := c.Kind + " " + strconv.Itoa(i)
		n := numericOf("x", c.Before, newGroups(nil, len(c.Before)))
		near(t, name+" KS", n.ks(c.Now), c.KS, 1e-12)
		near(t, name+" shift", n.shift(c.Now), c.Shift, 1e-12)
		near(t, name+" Jensen-Shannon", jensenShannon(c.CellsBefore, c.CellsNow), c.JensenShannon, 1e-12)
		near(t, name+" PSI", PSI(c.Before, c.Now, 10), c.CoursePSI, 1e-12)
		if c.LeastExpected >= leastExpected {
			tested++
			near(t, name+" Pearson", pearson(c.CellsBefore, c.CellsNow, float64(len(c.Before)), float64(len(c.Now))), c.Chi2P, 1e-12)
		}
	}
	if tested == 0 {
		t.Error("Pearson's test was compared nowhere")
	}
}
