package report

import (
	"fmt"

	"churn/internal/figures"
	"churn/pipeline/evaluate"
)

// money says what acting on the risks would bring, and under which assumptions.
func (in Input) money() *section {
	e := in.Evaluation
	d, v := e.Decision, e.Value
	return &section{ID: "money", Title: "What does it bring?",
		Lead: fmt.Sprintf("Contacting the %s users of the highest risk on a date brings %s, and %s if the rule chooses them. A contact pays for itself from a risk of %s on; contacting only those, and no more than the capacity, takes %s contacts a date and brings %s.",
			figures.Whole(v.Capacity), estimate(d.AtCapacity, figures.Money), estimate(d.Rule, figures.Money), figures.Percent1(d.Threshold), figures.Decimals(0)(d.Contacts.Value), estimate(d.Stopping, figures.Money)),
		Tables: []table{profitTable(d), confusionTable(d), assumptions(v)},
		Notes: []string{fmt.Sprintf("Without a capacity, %s of those contacted would leave, and %s of all leavers would be contacted.", figures.Percent1(d.Precision), figures.Percent1(d.Recall)),
			"Profits are in the currency of the assumptions, per as-of date, before the effect of contacts on users who would have stayed."}}
}

func profitTable(d evaluate.Decision) table {
	return table{Caption: "Profit", Head: []string{"figure", "model", "rule"}, Rows: [][]string{
		{"a date, at capacity", estimate(d.AtCapacity, figures.Money), estimate(d.Rule, figures.Money)},
		{"a date, at capacity and above the threshold only", estimate(d.Stopping, figures.Money), "–"},
		{"contacts a date above the threshold", estimate(d.Contacts, figures.Decimals(0)), "–"},
		{"EMPC: per user, with the best number of contacts", estimate(d.EMPC, figures.Decimals(2)), estimate(d.RuleEMPC, figures.Decimals(2))},
	}}
}

func confusionTable(d evaluate.Decision) table {
	c := d.Confusion
	all := c.TruePositives + c.FalsePositives + c.FalseNegatives + c.TrueNegatives
	cell := func(n int) string { return fmt.Sprintf("%s (%s)", figures.Whole(n), figures.Percent1(share(n, all))) }
	return table{Caption: "Contacting all from a risk of " + figures.Percent1(d.Threshold) + " on",
		Head: []string{"snapshots", "contacted", "left alone"}, Rows: [][]string{
			{"left", cell(c.TruePositives), cell(c.FalseNegatives)},
			{"stayed", cell(c.FalsePositives), cell(c.TrueNegatives)},
		}}
}

func assumptions(v evaluate.Value) table {
	return table{Caption: "Assumptions (value.* in the configuration)", Head: []string{"key", "value", "meaning"}, Words: true, Rows: [][]string{
		{"value.kept_customer", figures.Plain(v.KeptCustomer), "worth of a customer who would have left and stays"},
		{"value.contact_cost", figures.Plain(v.ContactCost), "cost of a contact"},
		{"value.success_rate", figures.Percent(v.SuccessRate), "of contacted leavers stay because of it"},
		{"value.capacity", figures.Whole(v.Capacity), "contacts a date"},
	}}
}
