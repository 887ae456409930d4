// Package parquet reads and writes the preference data of package dataset as Parquet files, the form in which the
// Hugging Face hub keeps them.
//
// # Problem
//
// A Parquet file holds a table column by column, in row groups, each column of a row group cut into compressed pages. This
// package turns the rows into the records of [dataset], with the same checks, the same errors and the same sequences, so
// that everything that takes records ([dataset.Usable], [dataset.Shuffle], [dataset.Split], a trainer) does not see where
// they come from:
//
//	files, err := parquet.Glob("data/train-*.parquet")
//	…
//	var sum dataset.Summary
//	for p, err := range dataset.Usable(parquet.Pairs(files...), false, &sum) {
//		if err != nil {
//			return err // "data/train-00001-of-00002.parquet:17: rejected: missing field"
//		}
//		use(p)
//	}
//
// # Columns
//
// They have the names and meanings of the fields of JSONL: prompt, chosen, rejected, margin, ref_chosen_logps,
// ref_rejected_logps and ref_fingerprint for pairs, of which only chosen and rejected must be there; prompt, completion and
// label for unpaired records; prompt for prompts. Other columns are not read at all. Names are compared exactly. A null is
// as good as absent, and so is an optional column that the file does not have.
//
//	text          a column of strings (annotated as String or Enum, or bare byte arrays), which must be UTF-8
//	conversation  a list of groups with the members role and content, both strings; other members are ignored. Lists
//	              may have the three levels of today or the two of old
//	number        float, double, or integers of any size and sign
//	truth value   boolean
//
// Whether a column holds texts or conversations, its type says; there is no mixture. An infinite number is itself, not a
// string. [dataset.Position].Line and the Line of an error is the row's number in its file, counting from 1 across row
// groups.
//
// Every compression but LZ4 and LZO is read, data pages of either version, dictionaries, and all encodings that pyarrow
// writes. Checksums are verified where pages have them. Encrypted files are not read.
//
// # Memory
//
// Files are streamed: of each column that is read, one page and one dictionary is in memory, and 128 KiB of the file,
// however large row groups are. [Reader.MaxPage] bounds what a page may ask for. Lengths in the footer and in page headers
// are held against the file before anything is allocated for them, and damage ends in an error, not a fault; but the
// codecs are trusted with what is inside a page, so a file that was made to do harm can still cost much memory.
//
// # Errors
//
// They are [*dataset.Error] with the kinds of package dataset. A column that is missing, twice there or of the wrong type
// is one error for the whole file, without a row; messages without a member are reported as, say, "prompt[].role". A
// damaged or shortened file is of the kind [dataset.Corrupt] or [dataset.Truncated]; as these and the former are malformed
// kinds, [dataset.Usable] with skipBad passes over the rest of such a file and counts one.
package parquet
