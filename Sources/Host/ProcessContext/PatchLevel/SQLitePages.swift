// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The tables of an SQLite file, read page by page (the file format of SQLite 3). For files that an inspected process may have made:
/// every number in them is doubted, and so many pages are read at most.
struct SQLitePages {
    /// A column's value.
    enum Value: Hashable {
        case null
        case integer(Int64)
        case text([UInt8])
        case blob([UInt8])
        case other

        /// Of a text or a blob.
        var bytes: [UInt8]? {
            switch self {
            case .text(let bytes), .blob(let bytes): bytes
            default: nil
            }
        }
    }

    /// How many pages are read in all.
    private static let maxPages = 8192
    /// A table of as many rows as SQLite can have is less deep.
    private static let maxDepth = 20

    private let file: FileDescriptor
    private let pageSize: Int
    /// What of a page may hold data.
    private let usable: Int
    private var pagesLeft = maxPages

    /// `nil` where the file is no SQLite database in UTF-8.
    init?(_ file: FileDescriptor) {
        guard let header = try? DescriptorIO.bytes(file.number, at: 0, count: 100), header.count == 100,
            header.starts(with: Array("SQLite format 3\0".utf8)), header[59] == 1, header[56...58].allSatisfy({ $0 == 0 })
        else { return nil }
        let size = Int(header[16]) << 8 | Int(header[17])
        pageSize = size == 1 ? 65536 : size
        guard (512...65536).contains(pageSize), pageSize.nonzeroBitCount == 1 else { return nil }
        usable = pageSize - Int(header[20])
        guard usable >= 480 else { return nil }
        self.file = file
    }

    /// The first pages of the tables, by name.
    mutating func tableRoots() -> [String: Int]? {
        var roots: [String: Int] = [:]
        let isRead = forEachRow(of: 1, maxBytes: 4096) { _, record in
            guard record.count >= 4, record[0].bytes == Array("table".utf8), let name = record[1].bytes,
                case .integer(let page) = record[3],
                page > 1, page <= Int32.max
            else { return }
            roots[String(decoding: name, as: UTF8.self)] = Int(page)
        }
        return isRead ? roots : nil
    }

    /// Reads all rows of a table, each cut off after so many bytes.
    ///
    /// - Returns: whether all were read.
    mutating func forEachRow(of root: Int, maxBytes: Int, _ body: (Int64, [Value]) -> Void) -> Bool {
        visit(root, depth: 0, maxBytes: maxBytes, body)
    }

    private mutating func visit(_ number: Int, depth: Int, maxBytes: Int, _ body: (Int64, [Value]) -> Void) -> Bool {
        guard depth < Self.maxDepth, let page = page(number) else { return false }
        if page.isLeaf {
            for cell in 0..<page.cells {
                guard let (row, record) = leaf(page, cell, maxBytes: maxBytes) else { return false }
                body(row, record)
            }
            return true
        }
        for cell in 0..<page.cells {
            guard let child = page.child(of: cell), visit(child.page, depth: depth + 1, maxBytes: maxBytes, body) else { return false }
        }
        return page.lastChild.map { visit($0, depth: depth + 1, maxBytes: maxBytes, body) } ?? false
    }

    /// The row of a number; `nil` where there is none.
    mutating func row(_ wanted: Int64, of root: Int, maxBytes: Int) -> [Value]? {
        var number = root
        for _ in 0..<Self.maxDepth {
            guard let page = page(number) else { return nil }
            if page.isLeaf {
                for cell in 0..<page.cells where page.rowNumber(of: cell) == wanted { return leaf(page, cell, maxBytes: maxBytes)?.record }
                return nil
            }
            var next = page.lastChild
            for cell in 0..<page.cells {
                guard let child = page.child(of: cell) else { return nil }
                if wanted <= child.lastRow {
                    next = child.page
                    break
                }
            }
            guard let next else { return nil }
            number = next
        }
        return nil
    }

    /// The bytes of a page, and where its own header begins.
    private struct Page {
        let bytes: [UInt8]
        let start: Int
        let isLeaf: Bool
        let cells: Int

        func number(at place: Int, bytes count: Int) -> Int? {
            guard place >= 0, place + count <= bytes.count else { return nil }
            return bytes[place..<place + count].reduce(0) { $0 << 8 | Int($1) }
        }

        func varint(at place: Int) -> (value: Int64, next: Int)? { SQLitePages.varint(bytes, at: place) }

        func place(of cell: Int) -> Int? { number(at: start + (isLeaf ? 8 : 12) + 2 * cell, bytes: 2) }

        var lastChild: Int? { number(at: start + 8, bytes: 4) }

        func child(of cell: Int) -> (page: Int, lastRow: Int64)? {
            guard let place = place(of: cell), let page = number(at: place, bytes: 4), let row = varint(at: place + 4) else { return nil }
            return (page, row.value)
        }

        func rowNumber(of cell: Int) -> Int64? {
            place(of: cell).flatMap { varint(at: $0) }.flatMap { varint(at: $0.next) }?.value
        }
    }

    private mutating func page(_ number: Int) -> Page? {
        guard let bytes = content(ofPage: number) else { return nil }
        let start = number == 1 ? 100 : 0
        // 13: a leaf of a table; 5: a page above leaves.
        guard bytes[start] == 13 || bytes[start] == 5 else { return nil }
        let cells = Int(bytes[start + 3]) << 8 | Int(bytes[start + 4])
        return Page(bytes: bytes, start: start, isLeaf: bytes[start] == 13, cells: cells)
    }

    private mutating func content(ofPage number: Int) -> [UInt8]? {
        guard pagesLeft > 0, number >= 1, number <= Int(Int32.max) else { return nil }
        pagesLeft -= 1
        guard let bytes = try? DescriptorIO.bytes(file.number, at: (number - 1) * pageSize, count: pageSize), bytes.count == pageSize
        else { return nil }
        return bytes
    }

    private mutating func leaf(_ page: Page, _ cell: Int, maxBytes: Int) -> (row: Int64, record: [Value])? {
        guard let place = page.place(of: cell), let size = page.varint(at: place), let row = page.varint(at: size.next), size.value >= 0,
            size.value <= Int64(Int32.max), let payload = payload(page, at: row.next, size: Int(size.value), maxBytes: maxBytes)
        else { return nil }
        return Self.record(payload).map { (row.value, $0) }
    }

    /// What doesn't fit into a page goes on in a chain of others; how much stays is the format's rule.
    private mutating func payload(_ page: Page, at place: Int, size: Int, maxBytes: Int) -> [UInt8]? {
        let most = usable - 35
        guard size > most else {
            return place + size <= page.bytes.count ? Array(page.bytes[place..<place + min(size, maxBytes)]) : nil
        }
        let least = (usable - 12) * 32 / 255 - 23
        let fitting = least + (size - least) % (usable - 4)
        let local = fitting <= most ? fitting : least
        guard place + local + 4 <= page.bytes.count else { return nil }
        var content = Array(page.bytes[place..<place + local])
        var next = page.number(at: place + local, bytes: 4) ?? 0
        let wanted = min(size, maxBytes)
        while content.count < wanted {
            guard next != 0, let more = self.content(ofPage: next) else { return nil }
            content += more[4..<min(usable, 4 + wanted - content.count)]
            next = more[0..<4].reduce(0) { $0 << 8 | Int($1) }
        }
        return content
    }

    /// The columns of a row; of one that was cut off the last one is what is there of it.
    private static func record(_ payload: [UInt8]) -> [Value]? {
        guard let size = varint(payload, at: 0), size.value >= 1, size.value <= payload.count else { return nil }
        var (types, place): (Int, Int) = (size.next, Int(size.value))
        var values: [Value] = []
        while types < size.value {
            guard let type = varint(payload, at: types), type.value >= 0 else { return nil }
            types = type.next
            let length = length(ofType: type.value)
            guard let length, place <= payload.count else { return nil }
            let bytes = payload[place..<min(payload.count, place + length)]
            place += bytes.count
            switch type.value {
            case 0: values.append(.null)
            case 1...6:
                guard bytes.count == length, let first = bytes.first else { return nil }
                values.append(.integer(bytes.dropFirst().reduce(Int64(Int8(bitPattern: first))) { $0 << 8 | Int64($1) }))
            case 8, 9: values.append(.integer(type.value - 8))
            case 12...: values.append(type.value % 2 == 0 ? .blob(Array(bytes)) : .text(Array(bytes)))
            default: values.append(.other)
            }
        }
        return values
    }

    private static func length(ofType type: Int64) -> Int? {
        switch type {
        case 0, 8, 9: 0
        case 1...4: Int(type)
        case 5: 6
        case 6, 7: 8
        case 12...Int64(Int32.max): Int((type - 12) / 2)
        default: nil
        }
    }

    private static func varint(_ bytes: [UInt8], at place: Int) -> (value: Int64, next: Int)? {
        guard place >= 0 else { return nil }
        var value: UInt64 = 0
        for count in 0..<9 {
            guard place + count < bytes.count else { return nil }
            let byte = bytes[place + count]
            if count == 8 { return (Int64(bitPattern: value << 8 | UInt64(byte)), place + 9) }
            value = value << 7 | UInt64(byte & 0x7f)
            if byte & 0x80 == 0 { return (Int64(bitPattern: value), place + count + 1) }
        }
        return nil
    }
}
