package cli

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// example is a command line and what it is for.
type example struct{ Line, For string }

// examples are those of every command, by its words after the name of the program. A test
// holds that no command is left out and that every line is understood.
func examples() map[string][]example {
	return map[string][]example{
		"generate": {{"churn generate --users 5000 --days 365", "simulate a year of a portal of 5,000 users"},
			{"churn generate --drift engagement@2025-09-01", "the same world, in which users turn away in September"}},
		"import":         {{"churn import moodle dump/", "map the tables of a Moodle to data/raw"}},
		"import moodle":  {{"churn import moodle dump/", "a folder of tables as CSV or Parquet"}},
		"import openedx": {{"churn import openedx --users auth_user.csv 'logs/*.gz'", "tracking logs of Open edX, and who the users are"}},
		"import xapi":    {{"churn import xapi statements.jsonl.zst", "statements, a line each"}},
		"import caliper": {{"churn import caliper events/", "a folder of envelopes or events, a line each"}},
		"validate": {{"churn validate", "check the files in data/raw"},
			{"churn --set source.users=users.csv.gz --set 'source.events=events-*.parquet' validate", "check files of your own"},
			{"churn validate --list", "list the checks, how severe each is, and what it tolerates"}},
		"prepare": {{"churn prepare", "validate, and aggregate by user and day"},
			{"churn --set prepare.memory=512MiB prepare", "the same in less memory"}},
		"features": {{"churn features --as-of 2025-06-30", "what was known at the end of June"},
			{"churn features --list", "the catalog: name, window, unit and meaning"},
			{"churn features --probe 2025-06-30", "prove that nothing after a date changes what is known up to it"}},
		"labels": {{"churn labels", "label the dates whose window has closed, and join the training set"},
			{"churn --set labels.window_days=14 labels", "churn is two weeks without activity"}},
		"train": {{"churn train", "fit, measure and register"},
			{"churn train --model logistic", "fit the logistic regression only"}},
		"evaluate": {{"churn evaluate", "measure the model in production on its test period"},
			{"churn evaluate challenger --from 2025-05-01 --to 2025-07-31", "measure another one on a period of your own"}},
		"backtest": {{"churn backtest --every 28", "as if one had trained every four weeks"},
			{"churn backtest --from 2025-04-01 --to 2025-07-01", "between two dates"}},
		"report": {{"churn report", "write the page about the model in production"},
			{"churn report --as-of 2025-09-01", "write the page about what the monitors found up to a date"}},
		"promote": {{"churn promote", "ask the gate about the model of the latest training"},
			{"churn promote v0003", "ask it about a version that was held before"},
			{"churn promote --force --reason \"agreed with the retention team\"", "overrule it, on record"}},
		"retrain": {{"churn retrain --dry-run", "say whether it is time to, and why"},
			{"churn retrain", "train if it is time to, and let the gate decide: for a CronJob"}},
		"registry":         {{"churn registry list", "what there is"}},
		"registry list":    {{"churn registry list", "all versions, with their figures and aliases"}},
		"registry show":    {{"churn registry show production", "check the model in production and print its card"}},
		"registry history": {{"churn registry history", "who moved which alias, when and why"}},
		"registry who":     {{"churn registry who --at 2025-09-01", "which model answered on a day"}},
		"registry rollback": {{"churn registry rollback --reason \"too many alarms\"", "back to the model from before"},
			{"churn registry rollback --to v0001 --reason \"audit\"", "back to a version that was in production before"}},
		"registry verify": {{"churn registry verify", "recompute every digest and ask every model its stored answers"}},
		"registry gc":     {{"churn registry gc --dry-run", "show what would go"}},
		"registry export": {{"churn registry export production --out model.tar", "take a model to another registry"}},
		"registry import": {{"churn registry import model.tar", "take in what export wrote"}},
		"score": {{"churn score", "rank the users at risk on the last day of the data"},
			{"churn score --as-of 2025-08-31 --model v0001", "as one version sees another day"},
			{"churn score --shard 0/4", "score a quarter of the users; the last of the four shards joins the parts"}},
		"explain":        {{"churn explain 1810", "why a user is at risk, and what would lower it"}},
		"monitor":        {{"churn monitor all", "run every monitor and see to the alarms: for a CronJob"}},
		"monitor drift":  {{"churn monitor drift", "compare the users with those of the training"}, {"churn monitor drift --reference same-weeks-last-term", "compare with the same weeks one year before"}, {"churn monitor drift --backtest 2025-05-01..2025-08-31", "count the alarms that the present limits would have raised"}},
		"monitor scores": {{"churn monitor scores", "whether scores are as the training led to expect"}},
		"monitor performance": {{"churn monitor performance", "past lists against what has become of the users"},
			{"churn monitor performance --treatments contacted.csv", "with those who were contacted counted apart"}},
		"monitor health":    {{"churn monitor health", "whether yesterday's data is there and as usual"}},
		"monitor all":       {{"churn monitor all", "everything; exit code 2 if somebody must look"}},
		"monitor report":    {{"churn monitor report", "write the page about the latest findings"}},
		"monitor alarms":    {{"churn monitor alarms", "what fires, what is silenced, what was told"}},
		"monitor silence":   {{"churn monitor silence drift --for 7d --reason \"new term\"", "say nothing of an alarm for a week"}},
		"monitor unsilence": {{"churn monitor unsilence drift", "end that before its time"}},
		"serve": {{"churn serve", "answer on 127.0.0.1:8080"},
			{"churn --set serve.address=0.0.0.0:8080 --set serve.keys_file=keys.txt serve", "answer other machines, which need a key"}},
		"predictions": {{"churn predictions --last 20", "the last answers of the server"},
			{"churn predictions --user 1810 --csv", "all of one user, with every input"}},
		"key":         {{"churn key new crm", "make a key for a program called crm"}},
		"key new":     {{"churn key new crm --scopes predict,read --expires 2027-12-31", "a key that ends by itself"}},
		"healthcheck": {{"churn healthcheck", "exit code 0 if the server of this machine is ready"}},
		"run-all": {{"churn run-all", "from nothing to a ranked list"},
			{"churn run-all --from features --until train", "only some stages"}},
		"config":          {{"churn config show", "every setting and where it comes from"}},
		"config show":     {{"churn --profile seed config show", "the settings of a profile"}},
		"config check":    {{"churn --config config.yaml config check", "name all faults of a file"}},
		"doctor":          {{"churn doctor", "look at everything before it fails"}, {"churn --json doctor", "the same for a program"}},
		"completion":      {{"churn completion bash", "print the script for a shell"}},
		"completion bash": {{"churn completion bash > ~/.local/share/bash-completion/completions/churn", "for every new shell"}, {"source <(churn completion bash)", "for this one"}},
		"completion zsh":  {{"churn completion zsh > \"${fpath[1]}/_churn\"", "for every new shell"}, {"source <(churn completion zsh)", "for this one"}},
		"completion fish": {{"churn completion fish > ~/.config/fish/completions/churn.fish", "for every new shell"}, {"churn completion fish | source", "for this one"}},
		"man":             {{"churn man > churn.1", "write the manual page; man ./churn.1 shows it"}},
		"help":            {{"churn help registry rollback", "explain one command"}},
		"version":         {{"churn version", "version, compiler and system"}},
	}
}

// explain gives commands their examples, and their names in full, at the end of their help.
func explain(commands []*cli.Command, parent string, all map[string][]example) {
	for _, c := range commands {
		path := strings.TrimSpace(parent + " " + c.Name)
		template := cli.CommandHelpTemplate
		if len(c.Subcommands) > 0 {
			template = cli.SubcommandHelpTemplate
		}
		c.CustomHelpTemplate = template + exampleText(all[path])
		explain(c.Subcommands, path, all)
	}
}

func exampleText(all []example) string {
	var b strings.Builder
	for i, x := range all {
		if i == 0 {
			b.WriteString("\nEXAMPLES:")
		}
		b.WriteString("\n   # " + x.For + "\n   " + x.Line + "\n")
	}
	return b.String()
}
