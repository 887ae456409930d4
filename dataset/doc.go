// Package dataset reads and writes preference data in the formats people have.
//
// # Problem
//
// A preference is a prompt x with two replies, of which a judge preferred one: (x, y⁺, y⁻), here a [Pair] of Prompt,
// Chosen and Rejected. Beside it stand [Unpaired], one reply judged good or bad, and [PromptOnly]. Files of them are
// large, come from many hands, and are wrong in places; a record that is read wrongly trains a model wrongly and says
// nothing. So this package reads a file in one pass and constant memory, and gives every record either whole or as an
// error that names file, line and field.
//
//	var sum dataset.Summary
//	for p, err := range dataset.Usable(dataset.Pairs("train.jsonl.gz"), false, &sum) {
//		if err != nil {
//			return err // malformed: "train.jsonl.gz:17: rejected: missing field"
//		}
//		use(p.Prompt.String(), p.Chosen.String(), p.Rejected.String())
//	}
//	fmt.Println(sum) // 2312 read, 2303 used, 9 skipped (5 prompts differ, 4 blank reply: chosen)
//
// # Formats
//
// A file is JSONL: one JSON object a line, UTF-8, plain or gzip. Gzip is told from text by content, not by name; members
// one after another are one stream (a cut between two members cannot be seen). A byte order mark at the beginning is
// skipped, "\r\n" ends a line as "\n" does, the last line needs no end, and a line of white space alone is no record and
// no error, but counts as a line. A line may have 16 MiB, see [Reader.MaxLine].
//
//	{"prompt":…,"chosen":…,"rejected":…}     a pair
//	{"chosen":…,"rejected":…}                a pair with its prompt inside, see [Pair.Resolve]
//	  "margin":x                             optional in both
//	  "ref_chosen_logps":x,"ref_rejected_logps":x,"ref_fingerprint":s
//	                                         optional in both: both numbers or none, see [Ref]
//	{"prompt":…,"completion":…,"label":b}    unpaired
//	{"prompt":…}                             a prompt alone
//
// Each text is a string or a conversation, a list of {"role":s,"content":s}. Which type of record a file holds is the
// caller's to say, by the type argument; the fields of other types, and any field not named here, are ignored (their
// syntax is checked), in messages too: a message's tool calls and name are not kept. Names are compared exactly. null
// is as good as absent. The same field twice in an object is an error if it is one that is read.
//
// A number is a JSON number or one of the strings "Infinity", "-Infinity" and "NaN", as far as it is legal: a
// log-probability may be −∞ but neither NaN nor +∞, a margin must be finite. "" and [] are errors; an empty content of
// one message is not.
//
// Text in the form of HH-RLHF, "\n\nHuman: …\n\nAssistant: …", and conversations are turned into each other by
// [Pair.AsText] and [Pair.AsChat].
//
// # Errors
//
// Every error is an [*Error] with a [Kind]. Malformed kinds (invalid JSON, a missing field, a wrong type, …) say that
// the file is not what it should be: a program stops there unless its user says otherwise. Unusable kinds (a blank reply,
// replies to different prompts, identical replies) are ordinary in real files: a program skips and counts them. [Usable]
// is this policy, [Summary] its account.
//
// # Order, parts, repetitions
//
// [Shuffle] draws an order from a seed, in a bounded buffer or in full. [Split] sends each prompt to training, validation
// or test by a hash. [Census] counts duplicates and contradictions; nothing here removes them, because n people who agree
// are n observations.
//
// # Reference log-probabilities
//
// A loss that needs log π_ref(y|x) needs it once per pair, so it is computed once and stored ([Encoder]) with a
// [Fingerprint] of model, settings and texts; [Pair.CheckRef] refuses what was computed from anything else.
package dataset
