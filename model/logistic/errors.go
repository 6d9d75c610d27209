package logistic

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"churn/internal/parallel"
	"churn/model"
)

// InterceptName is the Term.Name of the intercept.
const InterceptName = "(intercept)"

// normal975 is the 97.5% quantile of the normal distribution.
const normal975 = 1.959963984540054

// Term is one coefficient with what it is known to.
type Term struct {
	Name      string  `json:"name"`
	Coef      float64 `json:"coef"`
	StdErr    float64 `json:"std_err"`       // knows that the rows of one cluster are alike
	ModelErr  float64 `json:"model_std_err"` // as if all rows were independent and the model true
	OddsRatio float64 `json:"odds_ratio"`    // exp(Coef)
	Low       float64 `json:"low"`           // 95% interval of OddsRatio by StdErr
	High      float64 `json:"high"`          // +Inf if too large for a float64
}

// Errors returns the intercept and then the coefficients of m, as Fit(in, p)
// made it, in the order of the columns. cluster names the cluster of every row,
// its user; nil means that no two rows are alike. With H the Hessian of f at m
// without its ‖β‖₁, F that of the mean loss alone and s_u the sum of the scores
// w_i(σ_i - y_i)x̂_i over the rows of cluster u of G,
//
//	StdErr²    diagonal of  G/(G-1) · H⁻¹ (Σ_u s_u s_uᵀ) H⁻¹
//	ModelErr²  diagonal of  H⁻¹ F H⁻¹ / W
//
// (Liang & Zeger, Biometrika 1986; Gray, JASA 1992, for the penalty.) They are
// the errors around the penalised optimum and know nothing of its bias.
// Coefficients that ‖β‖₁ has set to 0 are left out, and the others treated as
// if chosen beforehand, so that their errors are too small. It returns an error
// if there are fewer than two clusters or H has no inverse, and panics if the
// lengths differ.
func Errors(in Input, m *Model, p Params, cluster []int32) ([]Term, error) {
	if len(m.Coef) != in.X.Cols() || cluster != nil && len(cluster) != in.X.Rows() {
		panic("logistic: model or clusters of another shape than the matrix")
	}
	in.Start = nil
	prob, err := newProblem(in, p)
	if err != nil {
		return nil, fmt.Errorf("standard errors: %w", err)
	}
	s := newSandwich(prob, m, cluster)
	if s.clusters < 2 {
		return nil, errors.New("standard errors: the rows have one cluster; two are the least")
	}
	h, ok := factor(s.restrict(s.hessian), len(s.keep), 0)
	if !ok || s.flat() {
		return nil, errors.New("standard errors: columns determine each other and the Hessian has no inverse; fit with an L2 penalty")
	}
	return s.terms(h), nil
}

// sandwich holds the matrices of Errors, as lower triangles.
type sandwich struct {
	problem  *problem
	model    *Model
	keep     []int // the elements of θ that have errors
	hessian  []float64
	fisher   []float64 // F
	meat     []float64 // Σ_u s_u s_uᵀ
	clusters int       // G
}

func newSandwich(p *problem, m *Model, cluster []int32) *sandwich {
	s := &sandwich{problem: p, model: m}
	for j, b := range m.Coef {
		if b != 0 || p.l1 == 0 {
			s.keep = append(s.keep, j)
		}
	}
	s.keep = append(s.keep, p.x.Cols())
	s.hessian = p.curvature(p.x.Rows(), p.x.Row, func(i int) float64 {
		probability := m.probability(p.x.Row(i))
		return p.weight[i] * probability * (1 - probability)
	})
	s.fisher = slices.Clone(s.hessian)
	for j := range p.x.Cols() {
		s.fisher[j*p.dim()+j] -= p.l2
	}
	s.meat, s.clusters = p.meat(m, clusterRows(cluster, p.x.Rows()))
	return s
}

// clusterRows returns the rows of every cluster, the clusters ascending.
func clusterRows(cluster []int32, n int) [][]int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	same := func(a, b int32) bool { return cluster != nil && cluster[a] == cluster[b] }
	if cluster != nil {
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(cluster[a], cluster[b]) })
	}
	var out [][]int32
	for from, to := 0, 1; from < n; from, to = to, to+1 {
		for to < n && same(order[from], order[to]) {
			to++
		}
		out = append(out, order[from:to])
	}
	return out
}

// meat returns Σ_u s_u s_uᵀ and the number of clusters.
func (p *problem) meat(m *Model, users [][]int32) ([]float64, int) {
	dim := p.dim()
	parts := make([][]float64, hessianParts)
	parallel.Each(hessianParts, func(part int) {
		sum, score := make([]float64, dim*dim), make([]float64, dim)
		for _, rows := range users[part*len(users)/hessianParts : (part+1)*len(users)/hessianParts] {
			clear(score)
			p.score(m, rows, score)
			for a, s := range score {
				if s != 0 {
					addTo(sum[a*dim:a*dim+a+1], s, score)
				}
			}
		}
		parts[part] = sum
	})
	for _, part := range parts[1:] {
		addTo(parts[0], 1, part)
	}
	return parts[0], len(users)
}

// score adds Σ w_i(σ_i - y_i)x̂_i over the rows.
func (p *problem) score(m *Model, rows []int32, score []float64) {
	for _, i := range rows {
		row := p.x.Row(int(i))
		r := p.weight[i] * (m.probability(row) - float64(index(p.y[i])))
		row.AddScaled(r, score)
		score[p.x.Cols()] += r
	}
}

// restrict returns the lower triangle of m among the elements to keep.
func (s *sandwich) restrict(m []float64) []float64 {
	k, dim := len(s.keep), s.problem.dim()
	out := make([]float64, k*k)
	for a, i := range s.keep {
		for b, j := range s.keep[:a+1] {
			out[a*k+b] = m[i*dim+j]
		}
	}
	return out
}

// flat reports whether some column does not bend the objective at all.
func (s *sandwich) flat() bool {
	return slices.ContainsFunc(s.keep, func(j int) bool { return s.hessian[j*s.problem.dim()+j] <= 0 })
}

// terms returns the table; h is the factored Hessian.
func (s *sandwich) terms(h *factorization) []Term {
	meat, fisher := s.restrict(s.meat), s.restrict(s.fisher)
	robust := float64(s.clusters) / float64(s.clusters-1)
	out := make([]Term, 0, len(s.keep))
	for a, j := range s.keep {
		z := make([]float64, h.dim)
		z[a] = 1
		h.solve(z) // column a of H⁻¹
		stdErr, modelErr := math.Sqrt(robust*quadratic(meat, z)), math.Sqrt(quadratic(fisher, z)/s.problem.total)
		if j < s.problem.x.Cols() {
			out = append(out, newTerm(s.problem.x.Names[j], s.model.Coef[j], stdErr, modelErr))
			continue
		}
		out = slices.Insert(out, 0, newTerm(InterceptName, s.model.Intercept, stdErr, modelErr))
	}
	return out
}

func newTerm(name string, coef, stdErr, modelErr float64) Term {
	half := normal975 * stdErr
	return Term{
		Name: name, Coef: coef, StdErr: stdErr, ModelErr: modelErr,
		OddsRatio: math.Exp(coef), Low: math.Exp(coef - half), High: math.Exp(coef + half),
	}
}

// quadratic returns zᵀMz ≥ 0 of the symmetric M with lower triangle m.
func quadratic(m, z []float64) float64 {
	var sum float64
	for a, v := range z {
		row := model.Row{Dense: m[a*len(z) : a*len(z)+a]}
		sum += float64(v * (2*row.Dot(z) + float64(m[a*len(z)+a]*v)))
	}
	return max(sum, 0)
}
