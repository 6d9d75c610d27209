// Package profile says what the rows of a training looked like, and how far
// other rows have moved from that. It knows names, numbers and categories, and
// nothing of what they mean.
//
// A Reference is made once, by Of and WithScores, and stored beside a model. Drift compares
// rows with it. Two things make such a comparison cry wolf, and both are
// accounted for:
//
//   - Distances between samples are not zero where nothing has moved. The
//     population stability index of B cells has an expectation of about
//     (B−1)(1/n+1/m) and is distributed as that much χ² (Yurdakul, "Statistical
//     properties of population stability index", Western Michigan University,
//     2018), so that every limit is at least a high quantile of it.
//   - Rows of one user are alike, so that n rows tell less than n. The sizes
//     above are divided by the design effect 1+(k−1)ρ of Kish ("Survey
//     Sampling", 1965), with k the mean number of rows that a row's user has and
//     ρ the intra-user correlation of the cells that are compared: the
//     first-order correction of Rao and Scott (J. Am. Stat. Assoc. 76, 1981).
//
// Looking at a hundred features finds something by chance: which of them count
// is decided by the step-up procedure of Benjamini and Hochberg (J. R. Stat.
// Soc. B 57, 1995).
package profile
