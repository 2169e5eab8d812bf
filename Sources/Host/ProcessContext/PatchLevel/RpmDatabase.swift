// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The versions of packages, from the SQLite database that rpm has had since 4.16: a table of packages, each with its header, and one
/// of their names. Read by its pages, within bounds, without SQLite and without rpm.
struct RpmDatabase {
    /// How much of a package's header is read, in bytes: its name and version stand among the first of it.
    private static let maxHeader = 256 << 10
    /// How many packages of one name are looked at.
    private static let maxPackages = 16

    private let file: FileDescriptor

    init(_ file: FileDescriptor) {
        self.file = file
    }

    /// Version and release of each installed package of a name; `nil` where the file is no such database.
    func versions(of package: String) -> [String]? {
        guard var tables = SQLitePages(file), let roots = tables.tableRoots(), let packages = roots["Packages"],
            let names = roots["Name"]
        else { return nil }
        var numbers: [Int64] = []
        let wanted = Array(package.utf8)
        let isRead = tables.forEachRow(of: names, maxBytes: 1024) { _, record in
            guard record.count >= 2, record[0].bytes == wanted, case .integer(let number) = record[1] else { return }
            if numbers.count < Self.maxPackages { numbers.append(number) }
        }
        guard isRead else { return nil }
        var versions: [String] = []
        for number in numbers {
            // The row's number is the first column's value, which SQLite doesn't store a second time.
            guard let record = tables.row(number, of: packages, maxBytes: Self.maxHeader), record.count >= 2, let header = record[1].bytes,
                let version = RpmHeader(header)
            else { return nil }
            if version.name == package { versions.append(version.version + "-" + version.release) }
        }
        return versions
    }
}

/// What a package's header, as rpm's database has it, says of its name and version: two counts, an index of tags, and the data that
/// they point into (rpm's file format, version 4).
struct RpmHeader {
    let name: String
    let version: String
    let release: String

    private static let (nameTag, versionTag, releaseTag): (UInt32, UInt32, UInt32) = (1000, 1001, 1002)
    private static let stringType: UInt32 = 6
    private static let maxTags = 4096
    private static let maxText = 256

    /// - Parameter bytes: the header, or its beginning.
    init?(_ bytes: [UInt8]) {
        func number(at place: Int) -> UInt32? {
            guard place >= 0, place + 4 <= bytes.count else { return nil }
            return bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        guard let tags = number(at: 0), tags <= Self.maxTags else { return nil }
        let data = 8 + 16 * Int(tags)
        var texts: [UInt32: String] = [:]
        for place in stride(from: 8, to: data, by: 16) {
            guard let tag = number(at: place) else { return nil }
            guard [Self.nameTag, Self.versionTag, Self.releaseTag].contains(tag) else { continue }
            guard number(at: place + 4) == Self.stringType, let offset = number(at: place + 8), data + Int(offset) < bytes.count
            else { return nil }
            let rest = bytes[(data + Int(offset))...].prefix(Self.maxText)
            guard let end = rest.firstIndex(of: 0) else { return nil }
            texts[tag] = String(decoding: rest[..<end], as: UTF8.self)
        }
        guard let name = texts[Self.nameTag], let version = texts[Self.versionTag], let release = texts[Self.releaseTag] else { return nil }
        (self.name, self.version, self.release) = (name, version, release)
    }
}
