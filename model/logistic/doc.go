// Package logistic fits an L2-regularised logistic regression by mini-batch
// stochastic gradient descent with variance reduction and a preconditioner.
//
// # Objective
//
// For rows x_i with label y_i ∈ {0, 1} and weight w_i, with W = Σ w_i and margin
// m_i = b + βᵀx_i,
//
//	f(β, b) = (1/W) Σ w_i (log(1+exp(m_i)) - y_i m_i) + (λ/2)‖β‖²,   λ = L2/W.
//
// The intercept b is not penalised. The optimum is that of scikit-learn's
// LogisticRegression(C=1/L2) with sample_weight = w.
//
// # Algorithm
//
// Plain SGD stalls at a noise floor, and crawls when columns are correlated (the
// 7, 14 and 30 day windows of one count are). Two repairs, both cheap:
//
//	outer loop (one epoch)
//	  snapshot θ̃; full gradient ∇f(θ̃); preconditioner P ≈ ∇²f(θ̃)
//	  gap = ½ ∇f(θ̃)ᵀ P⁻¹ ∇f(θ̃); stop when gap ≤ tol·f(θ̃)
//	  inner loop over shuffled mini-batches B, step η_k falling linearly to 0
//	    v = mean over B of n(∇f_i(θ) - ∇f_i(θ̃)) + ∇f(θ̃)      variance reduction
//	    θ ← θ - η_k P⁻¹ v
//	  f(θ) rose? back to θ̃ with a quarter of the step and four times the sample
//
// The variance of v vanishes as θ and θ̃ approach the optimum, so the error falls
// by a factor per epoch instead of stalling. P is the Hessian of a sample of
// rows, which makes all directions equally steep. The sample takes rows that
// carry rare columns with a higher probability, and it grows up to all rows when
// progress is worse than P promised; in that limit an epoch contains a damped
// Newton step, so the method cannot be worse conditioned than Newton's.
//
// Sources: Johnson & Zhang, Accelerating Stochastic Gradient Descent using
// Predictive Variance Reduction, NIPS 2013 (SVRG); Gonen, Orabona &
// Shalev-Shwartz, Solving Ridge Regression using Sketched Preconditioned SVRG,
// ICML 2016; Boyd & Vandenberghe, Convex Optimization, §9.5.1 (the Newton
// decrement: half its square estimates f - f*).
//
// # Reproducibility
//
// Sums run over fixed chunks merged in index order, the shuffles and the sample
// follow from Params.Seed: the same inputs give the same bits for any GOMAXPROCS.
package logistic
