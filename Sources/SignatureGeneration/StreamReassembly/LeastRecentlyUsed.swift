// SPDX-License-Identifier: Apache-2.0

/// A dictionary that knows which of its values was not used for longest. Everything but a walk takes constant time.
struct LeastRecentlyUsed<Key: Hashable, Value> {
    private struct Entry {
        var key: Key
        /// `nil` in a place that is free.
        var value: Value?
        /// The places of the entries that were used before and after it.
        var older: Int
        var newer: Int
    }

    private static var none: Int { -1 }

    private var places: [Key: Int] = [:]
    private var entries: [Entry] = []
    private var free: [Int] = []
    private var oldest = Self.none
    private var newest = Self.none

    init() {}

    var count: Int { places.count }

    subscript(key: Key) -> Value? { places[key].flatMap { entries[$0].value } }

    /// Changes a value in place, and makes it the one that was used last.
    ///
    /// - Returns: what the body returns; `nil` without calling it if there is no such value.
    mutating func use<Result>(_ key: Key, _ body: (inout Value) -> Result) -> Result? {
        guard let place = places[key], entries[place].value != nil else { return nil }
        if place != newest {
            unlink(place)
            link(place)
        }
        return body(&entries[place].value!)
    }

    /// - Parameter key: must not be there.
    mutating func insert(_ value: Value, for key: Key) {
        let place: Int
        if let reused = free.popLast() {
            place = reused
            entries[place] = Entry(key: key, value: value, older: Self.none, newer: Self.none)
        } else {
            place = entries.count
            entries.append(Entry(key: key, value: value, older: Self.none, newer: Self.none))
        }
        places[key] = place
        link(place)
    }

    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        unlink(place)
        free.append(place)
        return entries[place].value.take()
    }

    @discardableResult
    mutating func removeOldest() -> (key: Key, value: Value)? {
        guard oldest != Self.none else { return nil }
        let key = entries[oldest].key
        return remove(key).map { (key, $0) }
    }

    private mutating func link(_ place: Int) {
        entries[place].older = newest
        entries[place].newer = Self.none
        if newest == Self.none { oldest = place } else { entries[newest].newer = place }
        newest = place
    }

    private mutating func unlink(_ place: Int) {
        let (older, newer) = (entries[place].older, entries[place].newer)
        if older == Self.none { oldest = newer } else { entries[older].newer = newer }
        if newer == Self.none { newest = older } else { entries[newer].older = older }
    }
}
