package metric

import "gonum.org/v1/gonum/mathext"

// concentration is alpha + beta of the success rate's distribution in EMPC:
// Verbraken, Verbeke & Baesens use Beta(6, 14).
const concentration = 20

// best measures, per row of the sample, the profit of the best number of contacts
// that the ranking allows, none included: the maximum profit at the mean success
// rate, and its expectation over an uncertain one. Neither needs probabilities or
// heeds Capacity.
func (v Value) best(scores func() ranking) measure {
	return measure{
		names: []string{"max_profit", "empc"},
		values: func(weight []float64) []float64 {
			hull := scores().hull(weight)
			rows := hull[len(hull)-1].rows
			return []float64{ratio(v.maximum(hull), rows), ratio(v.expectedMaximum(hull), rows)}
		},
	}
}

// maximum returns the greatest profit over the corners of the hull.
func (v Value) maximum(hull []point) float64 {
	var best float64
	for _, corner := range hull {
		best = max(best, v.Profit(corner.rows, corner.hits))
	}
	return best
}

// expectedMaximum returns the expected maximum profit (Verbraken, Verbeke &
// Baesens, IEEE TKDE 2013, eq. 20) for a success rate γ ~ Beta(α, β) of mean
// SuccessRate and α+β = concentration, without an incentive to pay (their δ = 0).
//
// The next ΔR rows of the hull, ΔH of them positive, are worth contacting if γ is
// above γ* = ContactCost·ΔR / (KeptCustomer·ΔH), which rises along the hull. So
// with the regularised incomplete beta function I, every segment adds
//
//	∫_{γ*}^1 (γ·KeptCustomer·ΔH - ContactCost·ΔR) dBeta(γ) =
//	KeptCustomer·ΔH·SuccessRate·(1 - I(γ*; α+1, β)) - ContactCost·ΔR·(1 - I(γ*; α, β))
func (v Value) expectedMaximum(hull []point) float64 {
	alpha, beta := concentration*v.SuccessRate, concentration*(1-v.SuccessRate)
	var sum float64
	for k := range hull[1:] {
		rows, hits := hull[k+1].rows-hull[k].rows, hull[k+1].hits-hull[k].hits
		least := v.ContactCost * rows / (v.KeptCustomer * hits)
		if !(least < 1) {
			break // nor do later ones pay
		}
		won := v.KeptCustomer * hits * v.SuccessRate * (1 - mathext.RegIncBeta(alpha+1, beta, least))
		sum += won - float64(v.ContactCost*rows*(1-mathext.RegIncBeta(alpha, beta, least)))
	}
	return sum
}
