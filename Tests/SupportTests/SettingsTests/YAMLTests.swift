// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SettingsFiles
import SettingsYAML
import Testing

@Suite("YAML is read with its places, and bounded")
struct YAMLTests {
    private func read(_ text: String) throws(EpitopeError) -> SettingsNode {
        try SettingsSource.node(of: Array(text.utf8), path: "s.yaml")
    }

    @Test func `keys, values and items know where they stand`() throws {
        let root = try read("# a comment\none: 1\ngroup:\n  two: [a, \"b\"]\n")
        #expect(root.place(of: ["one"])?.description == "s.yaml, line 2, column 1")
        #expect(root.place(of: ["group", "two"])?.description == "s.yaml, line 4, column 3")
        #expect(root.place(of: ["group", "two", "[1]"])?.description == "s.yaml, line 4, column 12")
        #expect(root.place(of: ["group", "three"])?.description == "s.yaml, line 3, column 1", "where it would be")
        #expect(root.place(of: ["three"]) == nil)
    }

    @Test func `words mean what YAML 1.2 says`() throws {
        let root = try read(
            """
            flag: true
            text: yes
            nothing:
            tilde: ~
            whole: -12
            part: 1.5e3
            hex: 0x1F
            octal: 0o17
            quoted: "12"
            time: 1:30
            dots: 1.2.3
            sign: "-"
            dash: -x
            block: |
              two
              lines
            """)
        let contents = root.entries.map(\.value.content)
        #expect(
            contents == [
                .flag(true), .text("yes"), .null, .null, .number("-12"), .number("1.5e3"), .number("31"), .number("15"), .text("12"),
                .text("1:30"), .text("1.2.3"), .text("-"), .text("-x"), .text("two\nlines"),
            ])
    }

    @Test func `JSON is read as the YAML that it is, with tabs and escapes`() throws {
        let text = "{\n\t\"a\":1,\"b\":[true,null],\n\t\"c\":{\"d\":\"\\u00e9\\/x\"}\n}\n"
        let asYAML = try read(text)
        let asJSON = try SettingsSource.node(of: Array(text.utf8), path: "s.json")
        func contents(_ node: SettingsNode) -> [String] {
            node.entries.flatMap { entry in ["\(entry.key) \(entry.place.line):\(entry.place.column)"] + contents(entry.value) }
        }
        #expect(contents(asYAML) == contents(asJSON))
        #expect(asYAML["c"]?.value["d"]?.value.content == .text("é/x"))
    }

    @Test(arguments: ["", "\n\n", "# only comments\n#thresholdPoints: 1\n", "---\n", "null\n"])
    func `a file without a value sets nothing`(_ text: String) throws {
        #expect(try read(text).entries.isEmpty)
    }

    @Test(arguments: [
        ("one: 1\none: 2\n", "line 2, column 1: the key 'one' stands twice: in line 1, too"),
        ("g:\n  a: 1\n  b: 2\n  a: 3\n", "line 4, column 3: the key 'a' stands twice: in line 2, too"),
        ("{a: 1, \"a\": 2}", "the key 'a' stands twice"),
        ("one: 1\n two: 2\n", "line 2, column"), ("one: [1, 2\n", "line 1, column 6"), ("one: \"two\n", "line 1, column 6"),
        ("one:\n\ttwo: 1\n", "line 2, column 1: a tab stands in the indentation"),
        ("a: 1\n---\nb: 2\n", "line 2, column"), ("? [a]\n: 1\n", "a key is no word"),
        ("a: &b 1\n", "line 1, column 4: there is an anchor"), ("a: *b\n", "line 1, column 4: there is an alias"),
        ("a: [1,*b]\n", "there is an alias"), ("a: !!int 1\n", "there is a tag"), ("- !x 1\n", "there is a tag"),
        ("? *a\n: 1\n", "there is an alias"), ("a: !<tag:x> 1\n", "there is a tag"),
    ])
    func `what can't be read is refused with its place`(_ text: String, _ says: String) {
        let error = #expect(throws: EpitopeError.self) { try read(text) }
        #expect(error?.code == .configurationInvalid)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("s.yaml") == true)
    }

    @Test func `stars and ampersands that are none are texts`() throws {
        let root = try read("# *see* the manual\npaths: [\"/var/log/*.pcap\", /a/*b, \"*c\"]\nmore: a & b\n")
        #expect(root["paths"]?.value.content != nil)
        #expect(root["more"]?.value.content == .text("a & b"))
    }

    /// A text that would be of 10^9 items if it were followed.
    @Test func `a bomb of aliases is refused before it is followed`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<10 { text += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ","))]\n" }
        text += "? *a9\n: 1\n"
        let error = #expect(throws: EpitopeError.self) { try read(text) }
        #expect(error?.message.contains("there is an anchor") == true)
    }

    @Test(arguments: [18, 400, 100_000]) func `what nests too deep is refused, on a thread of the pool, too`(_ depth: Int) async {
        for text in [
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth), String(repeating: "- ", count: depth) + "x",
            String(repeating: "{a: ", count: depth) + String(repeating: "}", count: depth),
        ] {
            let error = await Task.detached { () -> EpitopeError? in
                do throws(EpitopeError) {
                    _ = try read(text)
                    return nil
                } catch {
                    return error
                }
            }.value
            #expect(error?.code == .configurationInvalid, "\(depth)")
        }
    }

    @Test func `many values are refused`() {
        let error = #expect(throws: EpitopeError.self) { try read("a: [" + String(repeating: "1,", count: 30_000) + "1]") }
        #expect(error?.message.contains("more than 20000") == true)
    }

    @Test func `what is no UTF-8 is refused`() {
        let error = #expect(throws: EpitopeError.self) { try SettingsSource.node(of: [0x61, 0x3A, 0x20, 0xFF], path: "s.yaml") }
        #expect(error?.message.contains("UTF-8") == true)
    }

    /// Nothing that a byte is changed to ends the program; what is accepted is a mapping or a value.
    @Test func `mutated texts are read or refused`() throws {
        let base = Array("# x\nkeepDays: 30\nsuricata:\n  action: drop\n  socket: '/run/s'\ncaptures: [\"/a/*\", /b]\n".utf8)
        var generator = SystemRandomNumberGenerator()
        var refused = 0
        for _ in 0..<4000 {
            var bytes = base
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            do throws(EpitopeError) { _ = try SettingsSource.node(of: bytes, path: "s.yaml") } catch {
                #expect(error.code == .configurationInvalid)
                refused += 1
            }
        }
        #expect(refused > 100)
    }
}
