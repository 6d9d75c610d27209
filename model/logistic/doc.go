// Package logistic fits a logistic regression with an L2, L1 or elastic-net
// penalty by mini-batch stochastic gradient descent with variance reduction and a
// preconditioner, and says how well its coefficients are known.
//
// # Objective
//
// For rows x_i with label y_i ∈ {0, 1} and weight w_i, with W = Σ w_i and margin
// m_i = b + βᵀx_i,
//
//	f(β, b) = (1/W) Σ w_i (log(1+exp(m_i)) - y_i m_i) + λ(ρ‖β‖₁ + ½(1-ρ)‖β‖²),
//	λ = L2/W, ρ = L1Ratio.
//
// The intercept b is not penalised. The optimum is that of scikit-learn's
// LogisticRegression(C=1/L2, l1_ratio=L1Ratio) with sample_weight = w.
//
// # Algorithm
//
// Plain SGD stalls at a noise floor, and crawls when columns are correlated (the
// 7, 14 and 30 day windows of one count are). Two repairs, both cheap:
//
//	outer loop (one epoch)
//	  snapshot θ̃; full gradient ∇f(θ̃); rows drawn by leverage; from the first of
//	  them the preconditioner P ≈ ∇²f(θ̃)
//	  gap = fall of the quadratic model with P to its minimum; stop when gap ≤ tol·f(θ̃)
//	  inner loop over mini-batches B of the drawn rows, step η_k falling linearly to 0
//	    v = mean over B of n(∇f_i(θ) - ∇f_i(θ̃)) + ∇f(θ̃)      variance reduction
//	    θ ← argmin_u vᵀ(u-θ) + (1/2η_k)(u-θ)ᵀP(u-θ) + λρ‖u‖₁   = θ - η_k P⁻¹v if ρ = 0
//	  f(θ) rose? back to θ̃ with a quarter of the step and four times the rows
//
// ∇f is that of the smooth part of f. The variance of v vanishes as θ and θ̃
// approach the optimum, so the error falls by a factor per epoch instead of
// stalling. P makes all directions equally steep, so that some dozens of steps do
// what else takes passes over all rows: an epoch costs one pass, on all cores, and
// a fixed number of drawn rows. Rows that carry rare columns are drawn with a
// higher probability, and their number grows when progress is worse than P
// promised, up to where an epoch contains a damped Newton step, so the method
// cannot be worse conditioned than Newton's.
//
// Sources: Johnson & Zhang, Accelerating Stochastic Gradient Descent using
// Predictive Variance Reduction, NIPS 2013 (SVRG); Xiao & Zhang, A Proximal
// Stochastic Gradient Method with Progressive Variance Reduction, SIAM J. Optim.
// 2014 (penalties that are not smooth, rows by importance); Gonen, Orabona &
// Shalev-Shwartz, Solving Ridge Regression using Sketched Preconditioned SVRG,
// ICML 2016; Lee, Sun & Saunders, Proximal Newton-Type Methods, SIAM J. Optim.
// 2014, and Boyd & Vandenberghe, Convex Optimization, §9.5.1 (the gap: for ρ = 0
// half the squared Newton decrement).
//
// # Reproducibility
//
// Sums run over fixed chunks merged in index order, and what is drawn follows
// from Params.Seed: the same inputs give the same bits for any GOMAXPROCS.
package logistic
