// Package gbdt fits gradient-boosted regression trees for the logistic loss.
//
// # Model
//
// For rows x_i with label y_i ∈ {0, 1} and weight w_i the margin is a sum of
// trees, F(x) = base + Σ f_t(x), that lowers Σ w_i (log(1+exp(F_i)) - y_i F_i).
// Each round adds the tree that lowers the second-order expansion of the loss
// most, by the gradients g = w(p - y) and hessians h = w·p(1-p); a leaf with the
// sums G and H has the value -learning_rate·G/(H+λ).
//
// # Algorithm
//
//	binning      columns → cuts at quantiles → bytes, a value of them for null
//	per round    gradients → rounded to integers → histograms → splits → tree → margins
//	histogram    of the smaller child; that of the larger is what remains of the parent's
//	splitting    numeric: every cut, nulls on either side; categorical: prefixes of the
//	             levels sorted by G/(H+cat_smooth)
//	growing      the leaf whose split gains most is split next
//	scoring      masks of leaves by bin, instead of walks
//
// Gradients are rounded, without bias, to 13 and 11 bits and packed into one
// word, so that one integer addition for each row and column builds a histogram.
// Leaf values come from the exact gradients. Integer sums do not depend on their
// order: the model has the same bits for any number of workers, and a parent is
// exactly the sum of its children.
//
// Rows come from a raw encoder (encode.Options.Raw). A row that weighs nothing
// might as well not be there.
//
// Sources: Friedman, Greedy function approximation: a gradient boosting machine,
// Annals of Statistics 2001; Friedman, Stochastic gradient boosting, CSDA 2002
// (subsample); Chen & Guestrin, XGBoost, KDD 2016 (second order, λ, nulls); Ke et
// al., LightGBM, NIPS 2017 (histograms, best-first growth, categorical splits);
// Shi et al., Quantized training of gradient boosting decision trees, NeurIPS
// 2022 (integer gradients); Lucchese et al., QuickScorer, SIGIR 2015 (scoring).
package gbdt
