package profile

import "slices"

// groups are the rows of each user.
type groups struct {
	order []int32 // rows, those of one user together; nil: each row has its own user
	ends  []int   // where each user's rows end in order
	rows  int
}

// newGroups panics unless there is a user for each of n rows, or none at all.
func newGroups(user []int32, n int) groups {
	if user == nil {
		return groups{rows: n}
	}
	if len(user) != n {
		panic("profile: not as many users as rows")
	}
	g := groups{order: make([]int32, n), rows: n}
	for i := range g.order {
		g.order[i] = int32(i)
	}
	if !slices.IsSorted(user) {
		slices.SortStableFunc(g.order, func(a, b int32) int { return int(user[a]) - int(user[b]) })
	}
	for k := range g.order {
		if k+1 == n || user[g.order[k]] != user[g.order[k+1]] {
			g.ends = append(g.ends, k+1)
		}
	}
	return g
}

func (g groups) users() int {
	if g.order == nil {
		return g.rows
	}
	return len(g.ends)
}

// perUser returns the number of rows that the user of a row has, Σk²/Σk over
// users with k rows; 0 without rows.
func (g groups) perUser() float64 { return g.squares() / float64(max(g.rows, 1)) }

// squares returns Σ k² over users with k rows each.
func (g groups) squares() (sum float64) {
	if g.order == nil {
		return float64(g.rows)
	}
	from := 0
	for _, to := range g.ends {
		sum += float64(to-from) * float64(to-from)
		from = to
	}
	return sum
}

// effective returns the number of independent rows that tell as much as so many
// rows of alike users do: rows over the design effect 1+(k−1)ρ.
func effective(rows int, perUser, alike float64) float64 {
	return float64(rows) / (1 + (perUser-1)*alike)
}

// alike returns the intra-user correlation ρ of which cell a row is in: that of
// a one-way analysis of variance (Donner, Int. Stat. Rev. 54, 1986, eq. 2.1),
// over the indicators of all cells, each divided by the root of its share p. So
// weighted, 1+(k−1)ρ is what multiplies the expectation of Pearson's χ². With
// c rows of a user with k rows in a cell and N rows in all,
//
//	between users  Σ_users Σ_cells c²/(k·p) − N
//	in total       N·(cells−1)
//
// It is 1, the careful answer, where no user has two rows, and 0 where all rows
// are in one cell.
func (g groups) alike(cell []int32, cells int) float64 {
	users, n := float64(g.users()), float64(g.rows)
	if g.rows == g.users() || users < 2 {
		return 1
	}
	total := make([]float64, cells)
	for _, c := range cell {
		total[c]++
	}
	used := 0
	for _, t := range total {
		if t > 0 {
			used++
		}
	}
	if used < 2 {
		return 0
	}
	between := g.between(cell, total) - n
	within := n*float64(used-1) - between
	sb, sw := between/(users-1), within/(n-users)
	k := (n - g.squares()/n) / (users - 1)
	return min(max((sb-sw)/(sb+(k-1)*sw), 0), 1)
}

// between returns Σ_users Σ_cells c²/(k·p).
func (g groups) between(cell []int32, total []float64) (sum float64) {
	counts, from := make([]float64, len(total)), 0
	for _, to := range g.ends {
		rows := g.order[from:to]
		for _, i := range rows {
			counts[cell[i]]++
		}
		for _, i := range rows {
			if c := counts[cell[i]]; c > 0 {
				sum += c * c * float64(g.rows) / (float64(len(rows)) * total[cell[i]])
				counts[cell[i]] = 0
			}
		}
		from = to
	}
	return sum
}
