// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import GRDB
import TestSupport
import Testing

@testable import ProcessContext

/// rpm's database, made by SQLite itself and read without it.
@Suite struct RpmDatabaseTests {
    let folder = OddProcessTableTests.Folder()

    /// A header as rpm stores it: counts, an index of tags, and their data.
    static func header(_ name: String, _ version: String, _ release: String, padding: Int = 0) -> Data {
        var data: [UInt8] = Array("C\0".utf8)
        var index: [(tag: UInt32, type: UInt32, offset: Int)] = [(100, 8, 0)]
        for (tag, text) in [(1000, name), (1001, version), (1002, release)] as [(UInt32, String)] {
            index.append((tag, 6, data.count))
            data += Array(text.utf8) + [0]
        }
        index.append((1004, 6, data.count))
        data += [UInt8](repeating: UInt8(ascii: "x"), count: padding) + [0]
        func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        let entries = index.flatMap { number($0.tag) + number($0.type) + number(UInt32($0.offset)) + number(1) }
        return Data(number(UInt32(index.count)) + number(UInt32(data.count)) + entries + data)
    }

    /// - Parameter packages: name, version, release.
    func database(_ packages: [(String, String, String)], pageSize: Int = 4096, padding: Int = 0, wal: Bool = false) throws -> String {
        let path = folder.path + "/root/usr/lib/sysimage/rpm/rpmdb.sqlite"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: path)
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA page_size = \(pageSize)")
            if wal { try database.execute(sql: "PRAGMA journal_mode = WAL") }
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { database in
            // As rpm 4.16 and later makes them.
            try database.execute(sql: "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
            try database.execute(
                sql: """
                    CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL,
                    FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))
                    """)
            try database.execute(sql: "CREATE INDEX 'Name_hnum_idx' ON 'Name'(hnum ASC)")
            for (number, package) in packages.enumerated() {
                try database.execute(
                    sql: "INSERT INTO Packages (hnum, blob) VALUES (?, ?)",
                    arguments: [number * 3 + 1, Self.header(package.0, package.1, package.2, padding: padding)])
                try database.execute(sql: "INSERT INTO Name VALUES (?, ?, 0)", arguments: [package.0, number * 3 + 1])
            }
        }
        try queue.close()
        return path
    }

    static let others = (0..<700).map { ("package-\($0)", "1.\($0)", "2.fc40") }

    @Test(arguments: [512, 4096, 65536], [0, 100, 9000])
    func `Versions are found in databases of every page size, with headers of one page and of many`(pageSize: Int, padding: Int) throws {
        let wanted = [("glibc", "2.39", "15.fc40"), ("kernel-core", "6.8.5", "301.fc40"), ("kernel-core", "6.9.1", "200.fc40")]
        _ = try database(Self.others + wanted + Self.others, pageSize: pageSize, padding: padding)
        let packages = try #require(RootFolder(folder.path + "/root").flatMap { PackageDatabase(root: $0) })
        #expect(packages.kind == .rpm)
        #expect(packages.version(of: "glibc") == "2.39-15.fc40")
        #expect(packages.versions(of: "kernel-core") == ["6.8.5-301.fc40", "6.9.1-200.fc40"])
        #expect(packages.version(of: "kernel-core") == nil, "two are installed")
        #expect(packages.version(of: "package-699") == "1.699-2.fc40" && packages.versions(of: "absent") == [])
    }

    @Test func `What may stand in the log beside it is not guessed`() throws {
        let path = try database([("glibc", "2.39", "15.fc40")])
        let packages = try #require(RootFolder(folder.path + "/root").flatMap { PackageDatabase(root: $0) })
        #expect(packages.version(of: "glibc") == "2.39-15.fc40")
        try Data(repeating: 1, count: 4096).write(to: URL(fileURLWithPath: path + "-wal"))
        #expect(packages.version(of: "glibc") == nil)
        #expect(packages.changedMilliseconds != nil)
    }

    /// The file is the inspected process's: whatever it holds, reading ends, and gives a version or none.
    @Test func `A damaged database leads nowhere`() throws {
        let path = try database(Self.others + [("glibc", "2.39", "15.fc40")], pageSize: 512, padding: 2000)
        let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        var random = SeededGenerator(seed: 18)
        let damaged = folder.path + "/damaged"
        var answers: Set<[String]?> = []
        for _ in 0..<400 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...400, using: &random) {
                bytes[Int.random(in: 16..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            try Data(bytes).write(to: URL(fileURLWithPath: damaged))
            answers.insert(RpmDatabase(try FileDescriptor(damaged, O_RDONLY)).versions(of: "glibc"))
        }
        #expect(answers.contains(nil) && answers.contains(["2.39-15.fc40"]), "both were tried: \(answers)")
    }

    /// Pages that name each other as their children, and a chain of them without an end.
    @Test func `A database without an end is left`() throws {
        let path = try database(Self.others, pageSize: 512)
        var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        // Every page above leaves leads to itself.
        for page in stride(from: 512, to: bytes.count, by: 512) where bytes[page] == 5 {
            let number = UInt32(page / 512 + 1)
            for place in 0..<4 { bytes[page + 8 + place] = UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32(place))) }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(RpmDatabase(try FileDescriptor(path, O_RDONLY)).versions(of: "package-1") == nil)
    }

    @Test func `A header that points beyond itself says nothing`() {
        let header = [UInt8](Self.header("glibc", "2.39", "15.fc40"))
        #expect(RpmHeader(header)?.version == "2.39")
        for length in 0..<header.count - 4 { _ = RpmHeader(Array(header.prefix(length))) }
        var beyond = header
        beyond[8 + 16 + 8] = 0x7f
        #expect(RpmHeader(beyond) == nil)
        #expect(RpmHeader([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]) == nil && RpmHeader([]) == nil)
    }
}
