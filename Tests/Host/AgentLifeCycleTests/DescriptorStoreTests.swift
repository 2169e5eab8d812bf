// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentLifeCycle

/// Descriptors that the service manager passes.
@Suite struct DescriptorStoreTests {
    @Test func `descriptors are those that are for this process`() {
        typealias StoredDescriptor = DescriptorStore.StoredDescriptor
        func descriptors(_ process: String?, _ count: String?, _ names: String?) -> [StoredDescriptor] {
            DescriptorStore.descriptors(process: process, count: count, names: names, ownProcess: 7)
        }
        #expect(descriptors("7", "2", "a:b") == [StoredDescriptor(name: "a", descriptor: 3), StoredDescriptor(name: "b", descriptor: 4)])
        #expect(descriptors("7", "2", "a") == [StoredDescriptor(name: "a", descriptor: 3), StoredDescriptor(name: "", descriptor: 4)])
        #expect(descriptors("7", "1", nil) == [StoredDescriptor(name: "", descriptor: 3)])
        for (process, count) in [
            ("8", "1"), (nil, "1"), ("7", nil), ("7", "-1"), ("7", "0"), ("7", "x"), ("7", "99999999999"), ("7", "99999999"),
        ] {
            #expect(descriptors(process, count, "a").isEmpty, "\(process ?? "-") \(count ?? "-")")
        }
    }
}
