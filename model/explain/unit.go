package explain

import (
	"slices"

	"churn/model/gbdt"
)

// unitSplits is the largest number of splits of a unit. A unit of k splits has
// 3^k rows in its table. With 3, blocks take two thirds of the time that they
// take without units, and the tables of 250 trees of 31 leaves 11 MB; with 4,
// blocks are no faster and single rows slower, as the tables leave the cache.
const unitSplits = 3

// unit is a subtree at the bottom of a tree. Its effect is proportional to the
// product that comes down, point by point, and depends on the ways of its
// splits only.
type unit struct {
	slot     int32
	first    int32 // its splits are tests[first:first+splits]
	splits   int32
	features []int32 // the distinct raw features of its splits
	// table has a row for each pattern of ways (base 3, the first split leads):
	// first for the sum over leaves, then for each feature.
	table []vector
}

// unit returns the unit of the subtree of node i.
func (c *compiler) unit(i int32, first int, slot int32) unit {
	u := unit{slot: slot, first: int32(first), splits: int32(c.below[i])}
	tests := c.tests[first:][:u.splits]
	factors := make([][ways]factors, u.splits)
	patterns := 1
	for k := range tests {
		factors[k] = c.factors(&tests[k])
		if f := c.feature(tests[k].node); !slices.Contains(u.features, f) {
			u.features = append(u.features, f)
		}
		patterns *= ways
	}
	for pattern := range patterns {
		u.table = append(u.table, c.effect(&u, i, pattern, factors)...)
	}
	return u
}

// effect returns the row of a pattern in the table of the unit at node i.
func (c *compiler) effect(u *unit, i int32, pattern int, factors [][ways]factors) []vector {
	way := make([]int, u.splits)
	for k := range way {
		way[len(way)-1-k] = pattern % ways
		pattern /= ways
	}
	row := make([]vector, 1+len(u.features))
	for p := range lanes {
		next := 0
		var walk func(i int32, product float64) (sum float64)
		walk = func(i int32, product float64) float64 {
			if c.tree.Nodes[i].Feature == gbdt.Leaf {
				return product * c.tree.Nodes[i].Value
			}
			f := &factors[next][way[next]]
			next++
			left := walk(i+1, product**f.left.lane(p))
			right := walk(c.tree.Nodes[i].Right, product**f.right.lane(p))
			j := slices.Index(u.features, c.feature(i))
			*row[1+j].lane(p) += float64(*f.addLeft.lane(p)*left) + float64(*f.addRight.lane(p)*right)
			return left + right
		}
		*row[0].lane(p) = walk(i, 1)
	}
	return row
}
