package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"churn/internal/table"
	"churn/pipeline"
	"churn/pipeline/features"
	"churn/pipeline/validate"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"0/1": {0, 1}, "0/4": {0, 4}, "3/4": {3, 4}} {
		if got, err := ParseShard(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "4/4", "-1/4", "1/0", "0/-1", "a/4", "1/b", "1/4/5", "0/10001"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// The law: every user is in one shard, whatever the number of shards, and no
// shard has more than its share by much. The owners are fixed: another build must
// agree.
func TestOwners(t *testing.T) {
	const users = 20000
	for _, of := range []int{1, 2, 3, 7, 16} {
		sizes := make([]int, of)
		for u := range users {
			owners := 0
			for i := range of {
				if (Shard{i, of}).Owns(fmt.Sprint(u)) {
					owners++
					sizes[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("user %d has %d owners of %d", u, owners, of)
			}
		}
		share := float64(users) / float64(of)
		if biggest := float64(slices.Max(sizes)); biggest > share+5*math.Sqrt(share) {
			t.Errorf("of %d shards one has %v of %d users", of, biggest, users)
		}
	}
	var owners []int
	for _, id := range []string{"1", "007", "u1", "8a9f1c1e-0c5c-4d3e-9b51-1f0c5a1f7f10"} {
		owners = append(owners, slices.IndexFunc([]Shard{{0, 4}, {1, 4}, {2, 4}, {3, 4}}, func(s Shard) bool { return s.Owns(id) }))
	}
	if want := []int{0, 0, 3, 3}; !slices.Equal(owners, want) {
		t.Errorf("the owners are %v, want %v: users have changed their shards", owners, want)
	}
}

// randomResults returns results in user order whose texts and numbers are hard to
// write.
func randomResults(n int, asOf pipeline.Date) []Result {
	rng := rand.New(rand.NewPCG(3, 4))
	texts := []string{"", "a", `says "no"`, "a, b", " edge ", "two\nlines", "ä"}
	text := func() string { return texts[rng.IntN(len(texts))] }
	out := make([]Result, n)
	for i := range out {
		signup := asOf - pipeline.Date(rng.IntN(400))
		out[i] = Result{Score: Score{Margin: rng.NormFloat64(), Risk: rng.Float64(), Tier: Medium}, AsOf: asOf, SinceSignup: int64(asOf - signup), LastActivity: math.NaN(),
			User: pipeline.User{ID: fmt.Sprintf("%d%s", i, text()), Signup: signup, Plan: text(), Paid: rng.IntN(2) == 0, Country: text(), Source: text()}}
		if rng.IntN(2) == 0 {
			out[i].LastActivity = float64(rng.IntN(90))
		}
		for range rng.IntN(maxReasons + 1) {
			out[i].Reasons = append(out[i].Reasons, Reason{Theme: features.ThemePlan, Text: "x" + text(), Contribution: rng.ExpFloat64() / 1e7})
		}
	}
	slices.SortFunc(out, func(a, b Result) int { return validate.CompareIDs(a.User.ID, b.User.ID) })
	return out
}

// The law: parts that are written, read and joined are the whole, to the bit.
func TestPartsMakeTheWhole(t *testing.T) {
	asOf := pipeline.Date(20000)
	whole := Part{Results: randomResults(3000, asOf), NotAtRisk: 12}
	for _, format := range []table.Format{table.CSV, table.Parquet} {
		for _, of := range []int{1, 4} {
			parts := make([]Part, of)
			for i := range parts {
				for _, r := range whole.Results {
					if (Shard{i, of}).Owns(r.User.ID) {
						parts[i].Results = append(parts[i].Results, r)
					}
				}
				path := filepath.Join(t.TempDir(), "part."+string(format))
				if _, err := parts[i].Write(path, format); err != nil {
					t.Fatal(err)
				}
				var err error
				if parts[i], err = ReadPart(t.Context(), path, asOf); err != nil {
					t.Fatal(err)
				}
			}
			parts[of-1].NotAtRisk = 12
			joined, err := Join(parts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(whole, joined, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %d parts:\n%s", format, of, diff)
			}
		}
	}
}

// The mutant: a user in two parts, which no hash would make.
func TestJoinRefusesATwin(t *testing.T) {
	r := randomResults(5, 20000)
	if _, err := Join([]Part{{Results: r[:3]}, {Results: r[2:]}}); err == nil {
		t.Error("a user in two parts is joined")
	}
}
