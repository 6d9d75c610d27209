package report

import (
	"fmt"

	"churn/pipeline/evaluate"
)

// money says what acting on the risks would bring, and under which assumptions.
func (in Input) money() *section {
	e := in.Evaluation
	d, v := e.Decision, e.Value
	return &section{ID: "money", Title: "What does it bring?",
		Lead: fmt.Sprintf("Contacting the %s users of the highest risk on a date brings %s, and %s if the rule chooses them. A contact pays for itself from a risk of %s on; contacting only those, and no more than the capacity, takes %s contacts a date and brings %s.",
			whole(v.Capacity), estimate(d.AtCapacity, money), estimate(d.Rule, money), percent1(d.Threshold), decimals(0)(d.Contacts.Value), estimate(d.Stopping, money)),
		Tables: []table{profitTable(d), confusionTable(d), assumptions(v)},
		Notes: []string{fmt.Sprintf("Without a capacity, %s of those contacted would leave, and %s of all leavers would be contacted.", percent1(d.Precision), percent1(d.Recall)),
			"Profits are in the currency of the assumptions, per as-of date, before the effect of contacts on users who would have stayed."}}
}

func profitTable(d evaluate.Decision) table {
	return table{Caption: "Profit", Head: []string{"figure", "model", "rule"}, Rows: [][]string{
		{"a date, at capacity", estimate(d.AtCapacity, money), estimate(d.Rule, money)},
		{"a date, at capacity and above the threshold only", estimate(d.Stopping, money), "–"},
		{"contacts a date above the threshold", estimate(d.Contacts, decimals(0)), "–"},
		{"EMPC: per user, with the best number of contacts", estimate(d.EMPC, decimals(2)), estimate(d.RuleEMPC, decimals(2))},
	}}
}

func confusionTable(d evaluate.Decision) table {
	c := d.Confusion
	all := c.TruePositives + c.FalsePositives + c.FalseNegatives + c.TrueNegatives
	cell := func(n int) string { return fmt.Sprintf("%s (%s)", whole(n), percent1(share(n, all))) }
	return table{Caption: "Contacting all from a risk of " + percent1(d.Threshold) + " on",
		Head: []string{"snapshots", "contacted", "left alone"}, Rows: [][]string{
			{"left", cell(c.TruePositives), cell(c.FalseNegatives)},
			{"stayed", cell(c.FalsePositives), cell(c.TrueNegatives)},
		}}
}

func assumptions(v evaluate.Value) table {
	return table{Caption: "Assumptions (value.* in the configuration)", Head: []string{"key", "value", "meaning"}, Words: true, Rows: [][]string{
		{"value.kept_customer", plain(v.KeptCustomer), "worth of a customer who would have left and stays"},
		{"value.contact_cost", plain(v.ContactCost), "cost of a contact"},
		{"value.success_rate", percent(v.SuccessRate), "of contacted leavers stay because of it"},
		{"value.capacity", whole(v.Capacity), "contacts a date"},
	}}
}
