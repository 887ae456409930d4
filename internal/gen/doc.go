// Module gen holds the programs that write the assembly of this library, in a module of its
// own so that nobody who imports the library depends on them. Each is run by go generate in the
// package that it writes for.
package gen
