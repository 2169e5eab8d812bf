#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Functions of the C library, called by Java itself: as the start notice to systemd of Elasticsearch and others is made.
. "$(dirname "$0")/common.sh"
java=$(ls -d /usr/lib/jvm/java-17-openjdk-*/bin/java 2>/dev/null | head -n 1) || true
[ -n "$java" ] || leave_out "needs Java 17, whose foreign functions are a module of their own"
cat >Notice.java <<'JAVA'
import java.lang.invoke.*;
import jdk.incubator.foreign.*;

public class Notice {
    static MethodHandle function(String name, MethodType type, FunctionDescriptor descriptor) {
        return CLinker.getInstance().downcallHandle(CLinker.systemLookup().lookup(name).get(), type, descriptor);
    }

    public static void main(String[] arguments) throws Throwable {
        MethodHandle socket = function("socket", MethodType.methodType(int.class, int.class, int.class, int.class),
            FunctionDescriptor.of(CLinker.C_INT, CLinker.C_INT, CLinker.C_INT, CLinker.C_INT));
        MethodHandle connect = function("connect", MethodType.methodType(int.class, int.class, MemoryAddress.class, int.class),
            FunctionDescriptor.of(CLinker.C_INT, CLinker.C_INT, CLinker.C_POINTER, CLinker.C_INT));
        int opened = 0;
        try (ResourceScope scope = ResourceScope.newConfinedScope()) {
            // A datagram socket on loopback: connecting it sends nothing, and succeeds.
            MemorySegment address = MemorySegment.allocateNative(16, scope);
            MemoryAccess.setShortAtOffset(address, 0, (short) 2);
            MemoryAccess.setByteAtOffset(address, 3, (byte) 9);
            MemoryAccess.setByteAtOffset(address, 4, (byte) 127);
            MemoryAccess.setByteAtOffset(address, 7, (byte) 1);
            for (int n = 0; n < 50; n++) {
                int descriptor = (int) socket.invokeExact(2, 2, 0);
                if ((int) connect.invokeExact(descriptor, address.address(), 16) == 0) opened++;
            }
        }
        System.out.println("connected " + opened);
    }
}
JAVA
"$java" --add-modules jdk.incubator.foreign --enable-native-access=ALL-UNNAMED Notice.java 2>/dev/null
