import GoodwareIndex
import Testing
