// SPDX-License-Identifier: Apache-2.0

/// A token, prepared for searching.
struct TokenSearch: Sendable {
    let bytes: [UInt8]
    /// Its longest run of fixed bytes, which is sought; `nil` if it has none.
    let anchor: RunSearch?
    /// In bytes: where the anchor begins in the token.
    let anchorOffset: Int
    /// The fixed positions beside the anchor.
    let others: [Int]

    init(_ token: Signature.Token) {
        bytes = token.bytes
        let longest = token.fixedRuns.max { $0.count < $1.count }
        anchor = longest.map { RunSearch(Array(token.bytes[$0])) }
        anchorOffset = longest?.lowerBound ?? 0
        let masked = Set(token.masked)
        others = masked.isEmpty ? [] : token.bytes.indices.filter { !masked.contains($0) && longest?.contains($0) == false }
    }
}

/// The places of a token in data, ascending, one by one.
struct TokenPlaces {
    private let search: TokenSearch
    private let data: UnsafeRawBufferPointer
    private var anchors: RunPlaces
    /// The comparisons at positions beside the anchor.
    private var comparisons = 0
    private let isSearchable: Bool

    init(of search: TokenSearch, in data: UnsafeRawBufferPointer) {
        self.search = search
        self.data = data
        isSearchable = search.anchor != nil && data.count >= search.bytes.count
        anchors = RunPlaces(of: search.anchor ?? RunSearch([0]), in: data)
        if isSearchable { anchors.skip(to: search.anchorOffset) }
    }

    /// In bytes.
    var length: Int { search.bytes.count }
    /// The bytes that were passed, and the comparisons beside the anchor.
    var steps: Int { anchors.passed + comparisons }

    /// The next place; `nil` if there is none.
    mutating func next() -> Int? {
        guard isSearchable else { return nil }
        while let anchor = anchors.next() {
            let start = anchor - search.anchorOffset
            guard start + search.bytes.count <= data.count else { return nil }
            if holdsOthers(at: start) { return start }
        }
        return nil
    }

    /// Leaves out places before this one.
    mutating func skip(to place: Int) {
        anchors.skip(to: place + search.anchorOffset)
    }

    private mutating func holdsOthers(at start: Int) -> Bool {
        for position in search.others {
            comparisons += 1
            if data[start + position] != search.bytes[position] { return false }
        }
        return true
    }
}

/// A run of bytes, prepared for searching by Knuth, Morris and Pratt ("Fast pattern matching in strings", 1977): one pass over
/// the data finds all places, overlapping ones too, whatever the run and the data.
public struct RunSearch: Sendable {
    let bytes: [UInt8]
    /// For each length of a beginning of the run: the length of its longest other beginning that it ends with.
    let borders: [Int32]

    /// - Parameter bytes: at least one.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var borders = [Int32](repeating: 0, count: bytes.count + 1)
        var border = 0
        for length in 1..<max(2, bytes.count) where length < bytes.count {
            while border > 0, bytes[border] != bytes[length] { border = Int(borders[border]) }
            if bytes[border] == bytes[length] { border += 1 }
            borders[length + 1] = Int32(border)
        }
        self.borders = borders
    }
}

/// The places of a run in data, ascending, one by one.
public struct RunPlaces {
    private let search: RunSearch
    private let data: UnsafeRawBufferPointer
    /// The next byte to look at.
    private var position = 0
    /// How many of the run's bytes end before it.
    private var matched = 0
    /// The bytes that were passed.
    public private(set) var passed = 0

    public init(of search: RunSearch, in data: UnsafeRawBufferPointer) {
        self.search = search
        self.data = data
    }

    /// The next place; `nil` if there is none. Costs as many steps as bytes are passed.
    public mutating func next() -> Int? {
        let before = position
        defer { passed += position - before }
        return search.bytes.withUnsafeBufferPointer { run in
            search.borders.withUnsafeBufferPointer { borders in place(run, borders) }
        }
    }

    private mutating func place(_ run: UnsafeBufferPointer<UInt8>, _ borders: UnsafeBufferPointer<Int32>) -> Int? {
        while position < data.count {
            if matched == 0 {
                // Most bytes are passed here: none begins the run.
                while position < data.count, data[position] != run[0] { position += 1 }
                guard position < data.count else { return nil }
                position += 1
                matched = 1
            } else {
                let byte = data[position]
                while matched > 0, run[matched] != byte { matched = Int(borders[matched]) }
                if run[matched] == byte { matched += 1 }
                position += 1
            }
            if matched == run.count {
                matched = Int(borders[matched])
                return position - run.count
            }
        }
        return nil
    }

    /// Leaves out places before this one.
    public mutating func skip(to place: Int) {
        // What has matched begins at position - matched.
        guard place > position - matched else { return }
        guard place <= position else {
            position = min(place, data.count)
            matched = 0
            return
        }
        while matched > 0, position - matched < place { matched = Int(search.borders[matched]) }
    }
}
